package breaker_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker"
)

// Calls that are slow, or hang until the breaker has counted them, among quick ones: each is counted once, whether the
// window is over a time or over calls, and turns meanwhile.
func TestUnderLoadEachTimedCallIsCountedOnce(t *testing.T) {
	const goroutines, each = 8, 3000
	for _, w := range []breaker.Window{breaker.Last(10 * time.Millisecond), breaker.LastCalls(50)} {
		t.Run(w.String(), func(t *testing.T) {
			b := must(breaker.New(breaker.Options{
				Window: w, SlowCall: time.Millisecond, ConsecutiveFailures: 1000, Mode: breaker.ForcedClosed,
			}))
			var went, hung atomic.Int64
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() {
					for i := range each {
						p, err := b.Allow(context.Background())
						if err != nil {
							t.Error(err)
							return
						}
						went.Add(1)
						n := g*each + i
						if n%500 == 0 {
							for begun := time.Now(); time.Since(begun) < 2*time.Millisecond; {
								runtime.Gosched()
							}
							hung.Add(1)
						}
						p.Done(endOf(n))
						if n%7 == 0 {
							p.Amend(errDown)
						}
					}
				})
			}
			wg.Wait()
			s := b.Stats()
			if sum := s.Successes + s.Failures + s.Slow + s.Ignored; sum != went.Load() || s.Late != 0 {
				t.Errorf("%d calls were let out, but %d counted: %+v", went.Load(), sum, s)
			}
			if s.Slow < hung.Load() || s.Failures == 0 || s.Ignored == 0 {
				t.Errorf("%d calls hung: %+v", hung.Load(), s)
			}
		})
	}
}

// The breaker opens and closes all the time, and every call is over before it could hang: in every window each call ends in
// one count.
func TestUnderLoadNoTimedCallIsLostBetweenGenerations(t *testing.T) {
	const goroutines, each = 32, 3000
	for _, w := range []breaker.Window{breaker.Last(10 * time.Millisecond), breaker.LastCalls(50)} {
		for _, slowCall := range []time.Duration{0, time.Hour} {
			t.Run(fmt.Sprint(w, " SlowCall ", slowCall), func(t *testing.T) {
				b := must(breaker.New(breaker.Options{
					Window: w, SlowCall: slowCall, MinCalls: 10, ConsecutiveFailures: 5, Probes: 2,
					OpenFor: time.Microsecond, MaxOpenFor: time.Microsecond, ProbeTimeout: time.Hour,
				}))
				var calls counts
				tested := func() bool { // who comes when is the scheduler's
					s := b.Stats()
					return s.Opened >= 10 && s.Late > 0 && s.Successes > 0
				}
				var wg sync.WaitGroup
				for g := range goroutines {
					wg.Go(func() {
						for i := 0; i < each || i%1000 != 0 || !tested(); i++ {
							calls.count(b.Do(context.Background(), func(context.Context) error {
								runtime.Gosched()
								if i/200%2 == 0 {
									return errDown
								}
								return endOf(g*each + i)
							}))
							if i%10 == 0 {
								runtime.Gosched() // for those who are out, when all others are refused
							}
						}
					})
				}
				wg.Wait()
				s := b.Stats()
				if sum := s.Successes + s.Failures + s.Slow + s.Ignored + s.Late; sum != calls.went.Load() || s.Refused != calls.refused.Load() {
					t.Errorf("%d calls went out and %d were refused, but counted were %d: %+v", calls.went.Load(), calls.refused.Load(), sum, s)
				}
			})
		}
	}
}

// endOf returns how the n-th call ends.
func endOf(n int) error {
	switch {
	case n%11 == 0:
		return breaker.Ignore(errDown)
	case n%5 == 0:
		return errDown
	}
	return nil
}
