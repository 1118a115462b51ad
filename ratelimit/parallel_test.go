package ratelimit_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

const takers = 64

// hammer calls take from many goroutines for a while and returns how many takes were allowed in what time.
func hammer(d time.Duration, take func(goroutine, i int) bool) (allowed int64, elapsed time.Duration) {
	var total atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for g := range takers {
		all.Go(func() {
			var mine int64
			for i := 0; i%64 != 0 || time.Since(start) < d; i++ {
				if take(g, i) {
					mine++
				}
			}
			total.Add(mine)
		})
	}
	all.Wait()
	return total.Load(), time.Since(start)
}

func TestManyGoroutinesNeverGetMoreThanBurstAndRate(t *testing.T) {
	for _, limit := range []ratelimit.Limit{
		ratelimit.PerSecond(1_000_000).WithBurst(100),
		ratelimit.PerSecond(1_000_003).WithBurst(1000),
		ratelimit.PerSecond(10_000).WithBurst(5),
		ratelimit.PerHour(50),
	} {
		t.Run(limit.String(), func(t *testing.T) {
			const d = 150 * time.Millisecond
			l, k := newLimiter(t, limit), newKeyed(t, limit, 0)
			keys := [2]string{"a", "b"}
			for name, run := range map[string]struct {
				buckets int64
				take    func(g, i int) bool
			}{
				"Limiter": {1, func(int, int) bool { return l.Allow() }},
				"Keyed":   {2, func(g, _ int) bool { return k.Allow(keys[g%2]) }},
			} {
				allowed, elapsed := hammer(d, run.take)
				most := run.buckets * (limit.Burst + int64(elapsed)*limit.Tokens/int64(limit.Per))
				if limit.Burst == 0 {
					most += run.buckets * limit.Tokens
				}
				if allowed > most {
					t.Errorf("%s: %d were allowed in %v, at most %d may be", name, allowed, elapsed, most)
				}
				if allowed < run.buckets*max(limit.Burst, 1) {
					t.Errorf("%s: %d were allowed in %v, less than the burst", name, allowed, elapsed)
				}
			}
		})
	}
}

func TestAFloodOfKeysGetsNoMoreThanItsBucketsAndOneMore(t *testing.T) {
	const maxKeys = 100
	k := newKeyed(t, ratelimit.PerDay(1), maxKeys) // of which none comes in meanwhile
	k.Allow("honest")
	allowed, _ := hammer(50*time.Millisecond, func(g, i int) bool { return k.Allow(fmt.Sprint(g, i)) })
	if most := int64(maxKeys-1) + 1; allowed > most {
		t.Errorf("%d were allowed, at most %d may be", allowed, most)
	}
	if k.Allow("honest") {
		t.Error("the flood freed a key from its debt")
	}
	s := k.Stats()
	if s.Keys != maxKeys || s.Allowed != allowed+1 || s.Overflowed == 0 {
		t.Errorf("%+v, allowed %d", s, allowed)
	}
}

func TestEveryDecisionIsCountedOnce(t *testing.T) {
	l := newLimiter(t, ratelimit.PerSecond(1000))
	var all sync.WaitGroup
	var allowed atomic.Int64
	for range takers {
		all.Go(func() {
			for range 1000 {
				if l.Allow() {
					allowed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if s := l.Stats(); s.Allowed != allowed.Load() || s.Allowed+s.Denied != takers*1000 {
		t.Errorf("%+v, of which %d were allowed", s, allowed.Load())
	}
}

// Reservations that are all cancelled, beside takes: nobody gets more than there is.
func TestReservationsThatAreCancelledAtOnceCreateNothingUnderManyGoroutines(t *testing.T) {
	for name, limits := range map[string][]ratelimit.Limit{
		"one":   {ratelimit.PerHour(1).WithBurst(1000)}, // of which none comes in meanwhile
		"three": {ratelimit.PerHour(1).WithBurst(1000), ratelimit.PerDay(100_000).Named("b"), ratelimit.PerSecond(999_983).Named("c")},
	} {
		t.Run(name, func(t *testing.T) {
			l := newWaiting(t, ratelimit.Options{}, limits...)
			allowed, _ := hammer(50*time.Millisecond, func(g, i int) bool {
				if g%2 == 0 {
					return l.Allow()
				}
				r, err := l.Reserve(int64(1 + i%7))
				if err != nil {
					t.Error(err)
					return false
				}
				if i%3 == 0 {
					r.Delay()
				}
				r.Cancel()
				return false
			})
			r, err := l.Take(0)
			if err != nil || allowed+r.Remaining > 1000 {
				t.Errorf("%d were allowed, and %d remain of 1000, %v", allowed, r.Remaining, err)
			}
		})
	}
}
