package main

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/joist-go/joist/ratelimit"
)

// How much more than burst + rate·elapsed 64 goroutines get when they ask for all they can: ours nothing, which is
// tested, and the peer, which is printed beside it.
func TestOursNeverGivesMoreThanItsLimitAndWhatThePeerGives(t *testing.T) {
	for _, perSecond := range []int64{1e3, 1e5, 1e6} {
		burst := perSecond / 100
		ours, err := ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerSecond(perSecond).WithBurst(burst)}})
		if err != nil {
			t.Fatal(err)
		}
		peer := rate.NewLimiter(rate.Limit(perSecond), int(burst))
		share := func(allow func() bool) float64 {
			allowed, elapsed := demand(excessFor, allow)
			return float64(allowed) / (float64(burst) + float64(perSecond)*elapsed.Seconds())
		}
		mine, theirs := share(ours.Allow), share(peer.Allow)
		t.Logf("%d per second for %v: joist gives %.4f of its limit, x/time/rate %.4f", perSecond, excessFor, mine, theirs)
		if mine > 1 {
			t.Errorf("%d per second: %.6f of the limit was given", perSecond, mine)
		}
	}
}

// demand calls allow from 64 goroutines for a while and returns how often it was true.
func demand(d time.Duration, allow func() bool) (allowed int64, elapsed time.Duration) {
	var total atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for range 64 {
		all.Go(func() {
			for i := 0; i%64 != 0 || time.Since(start) < d; i++ {
				if allow() {
					total.Add(1)
				}
			}
		})
	}
	all.Wait()
	return total.Load(), time.Since(start)
}
