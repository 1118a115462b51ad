package ratelimit_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

func TestNewLimitsInheritTheShareToWhichTheOldOnesWereFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newWaiting(t, ratelimit.Options{}, ratelimit.PerSecond(10).Named("a"), ratelimit.PerMinute(100).Named("b"))
		l.AllowN(5) // a has half, b 19 of 20
		remaining := func(want int64, limit string) {
			t.Helper()
			if r, err := l.Take(0); err != nil || r.Remaining != want || r.Limit.Name != limit {
				t.Errorf("%+v, %v, want %d of %s", r, err, want, limit)
			}
		}
		set := func(limits ...ratelimit.Limit) {
			t.Helper()
			if err := l.SetLimits(limits); err != nil {
				t.Error(err)
			}
		}
		set(ratelimit.PerHour(1000).Named("b"), ratelimit.PerSecond(2000).Named("a"))
		remaining(950, "b")
		set(ratelimit.PerSecond(4000).Named("a"))
		remaining(2000, "a")
		set(ratelimit.PerHour(1000).Named("c")) // of a new name: as empty as the emptiest
		remaining(500, "c")
		if err := l.Charge(1000); err != nil { // in debt for half a bucket
			t.Error(err)
		}
		set(ratelimit.PerSecond(10).Named("c"))
		if r, err := l.Take(1); err != nil || r.Allowed || r.RetryAfter != 600*time.Millisecond {
			t.Errorf("in debt: %+v, %v", r, err)
		}
		set(ratelimit.Unlimited())
		remaining(1<<63-1, "default")
		set(ratelimit.PerSecond(10))
		remaining(10, "default")
		set(ratelimit.None()) // to have been shut for a moment frees nobody
		remaining(0, "default")
		set(ratelimit.PerSecond(10))
		remaining(0, "default")
		time.Sleep(200 * time.Millisecond)
		remaining(2, "default")
	})
}

func TestLimitsThatAreNotValidAreNotSet(t *testing.T) {
	l, k := newLimiter(t, ratelimit.PerHour(1)), newKeyed(t, ratelimit.PerHour(1), 0)
	for _, limits := range [][]ratelimit.Limit{nil, {{}}, {ratelimit.PerSecond(1), ratelimit.PerSecond(2)}} {
		if err := l.SetLimits(limits); err == nil || !strings.HasPrefix(err.Error(), "joist/ratelimit: ") {
			t.Errorf("%v: %v", limits, err)
		}
		if err := k.SetLimits("a", limits); err == nil || !strings.HasPrefix(err.Error(), "joist/ratelimit: ") {
			t.Errorf("%v: %v", limits, err)
		}
	}
	if !l.Allow() || l.Allow() || !k.Allow("a") || k.Allow("a") {
		t.Error("the limits changed")
	}
}

func TestNoTakeIsLostOrMadeTwiceWhileLimitsAreSet(t *testing.T) {
	hour := ratelimit.PerHour(1).WithBurst(100_000).Named("hour") // of which none comes in meanwhile
	for name, sets := range map[string][][]ratelimit.Limit{
		"one limit":      {{hour}, {hour}},
		"one and two":    {{hour}, {hour, ratelimit.Unlimited()}},
		"two and two":    {{hour, ratelimit.Unlimited()}, {hour, ratelimit.Unlimited()}},
		"one after many": {{hour, ratelimit.Unlimited(), ratelimit.Unlimited().Named("c")}, {hour}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newWaiting(t, ratelimit.Options{}, sets[0]...)
			stop := make(chan struct{})
			var setter sync.WaitGroup
			setter.Go(func() {
				for i := 1; ; i++ {
					select {
					case <-stop:
						return
					default:
						if err := l.SetLimits(sets[i%2]); err != nil {
							t.Error(err)
						}
					}
				}
			})
			allowed, _ := hammer(50*time.Millisecond, func(int, int) bool { return l.AllowN(7) })
			close(stop)
			setter.Wait()
			if most := int64(100_000 / 7); allowed > most || allowed < 1 {
				t.Errorf("%d were allowed, at most %d may be", allowed, most)
			}
			if s := l.Stats(); s.Allowed != allowed {
				t.Errorf("%d were allowed, %+v", allowed, s)
			}
			r, err := l.Take(0)
			if gone := 100_000 - r.Remaining; err != nil || gone < 7*allowed || gone > 7*allowed+1 { // a share is rounded up
				t.Errorf("%d tokens are gone, and %d were taken", gone, 7*allowed)
			}
		})
	}
}

// Whatever else goes on while limits are set: what is given back by Refund comes once, what is cancelled at most once, and
// nothing that is charged is lost.
func TestNothingIsLostOrMadeTwiceWhileLimitsAreSetBesideRefundsAndReservations(t *testing.T) {
	const burst = 500_000
	slow := ratelimit.PerHour(1).WithBurst(burst).Named("slow") // of which none comes in meanwhile
	for name, sets := range map[string][][]ratelimit.Limit{
		"one limit":   {{slow}, {slow}},
		"one and two": {{slow}, {slow, ratelimit.Unlimited()}},
		"two and two": {{slow, ratelimit.Unlimited()}, {ratelimit.Unlimited(), slow}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newWaiting(t, ratelimit.Options{}, sets[0]...)
			if err := l.Charge(burst / 2); err != nil {
				t.Fatal(err)
			}
			var gone, late atomic.Int64 // tokens that are not given back, and that may not be
			var all sync.WaitGroup
			for g := range 8 {
				all.Go(func() {
					for i := range 300 {
						switch {
						case g == 0:
							if err := l.SetLimits(sets[i%2]); err != nil {
								t.Error(err)
							}
						case g%3 == 0:
							r, err := l.Reserve(5)
							if err != nil {
								t.Error(err)
								return
							}
							if i%2 == 0 {
								r.Cancel()
								late.Add(5)
								continue
							}
							gone.Add(5)
						default:
							if l.AllowN(7) {
								gone.Add(5)
								if err := errors.Join(l.Refund(3), l.Charge(1)); err != nil {
									t.Error(err)
								}
							}
						}
					}
				})
			}
			all.Wait()
			r, err := l.Take(0)
			if err != nil {
				t.Fatal(err)
			}
			if lacks, least := burst/2-r.Remaining, gone.Load(); lacks < least || lacks > least+late.Load()+1 { // a share is rounded up
				t.Errorf("%d tokens are gone, want %d, and at most %d that were cancelled too late", lacks, least, late.Load())
			}
		})
	}
}
