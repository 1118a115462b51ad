package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// Many goroutines ask for far more than there is. They never get more than burst + rate·elapsed, and, where nothing slows
// them down, almost all of it: what is in the bucket when the last of them has ended, nobody asked for any more.
// internal/benchmarks counts the same of a peer.
func TestUnderAllDemandTheRateIsKept(t *testing.T) {
	for _, rate := range []int64{1e3, 1e5, 1e6} {
		burst := rate // for a second in which the machine runs others
		limit := ratelimit.PerSecond(rate).WithBurst(burst)
		for name, limits := range map[string][]ratelimit.Limit{
			"one":   {limit},
			"three": {limit, ratelimit.PerSecond(rate * 2).Named("b"), ratelimit.Unlimited().Named("c")},
		} {
			t.Run(fmt.Sprintf("%d per second, %s", rate, name), func(t *testing.T) {
				l := newWaiting(t, ratelimit.Options{}, limits...)
				allowed, elapsed := hammer(demandFor, func(int, int) bool { return l.Allow() })
				most := float64(burst) + float64(rate)*elapsed.Seconds()
				rest, err := l.Take(0)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d of %.0f in %v, %.3f %%, and %d left", allowed, most, elapsed.Round(time.Millisecond), 100*float64(allowed)/most, rest.Remaining)
				if float64(allowed) > most {
					t.Errorf("%d were allowed, at most %.0f may be", allowed, most)
				}
				if !slowed && float64(allowed+rest.Remaining) < demandShare*most-1 {
					t.Errorf("%d were allowed and %d are left, at least %v of %.0f should be", allowed, rest.Remaining, demandShare, most)
				}
			})
		}
	}
}
