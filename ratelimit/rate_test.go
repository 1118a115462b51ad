package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// Many goroutines ask for far more than there is. They never get more than what was in the bucket and rate·elapsed, and
// nothing of that is lost: whoever is denied is so because all of it was taken until then, and what nobody asked for any
// more is there. The share that they got says how much a busy machine let them ask: no limiter can give what is not asked
// for. internal/benchmarks counts the same of a peer.
func TestUnderAllDemandTheRateIsKept(t *testing.T) {
	for _, rate := range []int64{1e3, 1e5, 1e6} {
		size := 1000 * rate // which is never full again, however long the machine runs others
		limit := ratelimit.PerSecond(rate).WithBurst(size)
		for name, limits := range map[string][]ratelimit.Limit{
			"one":   {limit},
			"three": {limit, ratelimit.PerSecond(rate * 2).WithBurst(2 * size).Named("b"), ratelimit.Unlimited().Named("c")},
		} {
			t.Run(fmt.Sprintf("%d per second, %s", rate, name), func(t *testing.T) {
				began := time.Now()
				l := newWaiting(t, ratelimit.Options{}, limits...)
				if err := l.Charge(size - rate); err != nil { // what comes in within a second is left
					t.Fatal(err)
				}
				start := time.Now()
				var empty [takers]time.Time // since when, or later, nothing was there for a take that was denied
				allowed, _ := hammer(demandFor, func(g, i int) bool {
					if i%64 != 0 {
						return l.Allow()
					}
					now := time.Now()
					ok := l.Allow()
					if !ok {
						empty[g] = now
					}
					return ok
				})
				end := time.Now()
				rest, err := l.Take(0)
				if err != nil {
					t.Fatal(err)
				}
				last := start
				for _, at := range empty {
					if at.After(last) {
						last = at
					}
				}
				by := func(elapsed time.Duration) int64 { return rate + int64(elapsed)*rate/int64(time.Second) }
				most, least := by(time.Since(began)), by(end.Sub(start))
				t.Logf("%d of %d in %v, %.3f %%, and %d left; all were taken when %.3f %% of the time had passed",
					allowed, most, end.Sub(start).Round(time.Millisecond), 100*float64(allowed)/float64(most), rest.Remaining,
					100*float64(last.Sub(start))/float64(end.Sub(start)))
				if all := allowed + rest.Remaining; all > most || all < least-1 {
					t.Errorf("%d were allowed and %d are left: at most %d may be, and at least %d must", allowed, rest.Remaining, most, least-1)
				}
				if taken := by(last.Sub(start)); last.After(start) && allowed < taken-1 {
					t.Errorf("%d were allowed, though a take was denied when %d had come in", allowed, taken)
				}
			})
		}
	}
}
