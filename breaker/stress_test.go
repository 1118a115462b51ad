package breaker_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/internal/attempt"
)

func TestNeverMoreThanProbesAreOutAndEveryCallIsCountedOnce(t *testing.T) {
	const goroutines, each, probes = 1000, 40, 3
	var closed atomic.Int64 // how often the breaker closed
	b := must(breaker.New(breaker.Options{
		Window: breaker.Last(10 * time.Millisecond), MinCalls: 20, FailureRatio: 0.5, Probes: probes,
		OpenFor: time.Microsecond, MaxOpenFor: time.Microsecond,
		OnStateChange: func(t breaker.Transition) {
			if t.To == breaker.Closed {
				closed.Add(1)
			}
		},
	}))
	// Failures come in long rows, so that the breaker opens, probes and closes many times. Between a call's begin and
	// its end the breaker's generation tells whether it is a probe: then the number of those is counted.
	var calls, out, refused atomic.Int64
	var seen sync.Map // generation to *atomic.Int64: probes that are out
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := 0; i < each || b.Stats().Opened == 0 || closed.Load() == 0; i++ {
				n := calls.Add(1)
				p, err := b.Allow(context.Background())
				if err != nil {
					refused.Add(1)
					continue
				}
				generation, probe := breaker.PermitGeneration(&p)
				var mine *atomic.Int64
				if probe {
					counter, _ := seen.LoadOrStore(generation, new(atomic.Int64))
					mine = counter.(*atomic.Int64)
					if now := mine.Add(1); now > probes {
						t.Errorf("%d probes are out", now)
					}
				}
				out.Add(1)
				err = nil
				if n/2000%2 == 0 && n%8 != 0 {
					err = errDown
				}
				if n%64 == 0 {
					err = breaker.Ignore(errDown)
				}
				if mine != nil {
					mine.Add(-1)
				}
				p.Done(err)
			}
		})
	}
	wg.Wait()
	s := b.Stats()
	if sum := s.Successes + s.Failures + s.Ignored + s.Late; sum != out.Load() {
		t.Errorf("%d calls were let out, but %d outcomes counted: %+v", out.Load(), sum, s)
	}
	if s.Refused != refused.Load() || refused.Load()+out.Load() != calls.Load() {
		t.Errorf("%d refusals, counted %d", refused.Load(), s.Refused)
	}
}

func TestTotalsNeverCountTwiceWhileTheWindowTurns(t *testing.T) {
	b := must(breaker.New(breaker.Options{Window: breaker.Last(10 * time.Millisecond), MinCalls: 1_000_000}))
	var begun atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				begun.Add(1)
				_ = succeed(b)
			}
		})
	}
	for deadline := time.Now().Add(200 * time.Millisecond); time.Now().Before(deadline); {
		s := b.Stats()
		if upper := begun.Load(); s.Successes > upper {
			t.Fatalf("%d successes of %d calls", s.Successes, upper)
		}
	}
	close(stop)
	wg.Wait()
	if s := b.Stats(); s.Successes != begun.Load() {
		t.Fatalf("%d successes of %d calls", s.Successes, begun.Load())
	}
}

// Calls end in all ways, and begin and end in all states and modes, while the modes change and the listener calls back.
func TestUnderLoadNoPermitLeaksInAnyMode(t *testing.T) {
	const goroutines, each = 64, 5000
	var (
		b     *breaker.Breaker
		moves [3]atomic.Int64 // by the state that they led to
		calls counts
	)
	b = must(breaker.New(breaker.Options{
		Window: breaker.Last(10 * time.Millisecond), MinCalls: 10, Probes: 2, Ramp: 50 * time.Microsecond,
		OpenFor: time.Microsecond, MaxOpenFor: time.Microsecond, // no probe hangs: it would be counted, and be late, too
		OnStateChange: func(t breaker.Transition) {
			moves[t.To].Add(1)
			calls.count(b.Do(context.Background(), func(context.Context) error { return nil }))
		},
	}))
	// Who comes when is the scheduler's: the calls go on until all has happened that is to be tested.
	tested := func() bool {
		s := b.Stats()
		return s.Spared > 0 && s.Late > 0 && moves[breaker.Closed].Load() > 0 && moves[breaker.Open].Load() > 0 && moves[breaker.HalfOpen].Load() > 0
	}
	var workers sync.WaitGroup
	for g := range goroutines {
		workers.Go(func() {
			for i := 0; i < each || i%1000 != 0 || !tested(); i++ {
				n := g + i
				ctx := context.Background()
				if n%3 == 0 {
					ctx = attempt.With(ctx, 2)
				}
				err := guarded(n%97 == 0, func() error {
					return b.Do(ctx, func(context.Context) error {
						runtime.Gosched()
						switch {
						case n%97 == 0:
							calls.went.Add(1)
							runtime.Goexit()
						case n%89 == 0:
							calls.went.Add(1)
							panic(errDown)
						case n%31 == 0:
							return breaker.Ignore(errDown)
						case i/200%2 == 0:
							return errDown
						}
						return nil
					})
				})
				if n%97 != 0 && n%89 != 0 || errors.Is(err, breaker.ErrOpen) {
					calls.count(err)
				}
				if i%10 == 0 {
					runtime.Gosched() // for the operator, when all are refused
				}
			}
		})
	}
	stop := make(chan struct{})
	var operator sync.WaitGroup
	operator.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			b.SetMode([]breaker.Mode{
				breaker.Normal, breaker.ForcedOpen, breaker.Normal, breaker.Observe, breaker.RetriesOnly, breaker.ForcedClosed, breaker.Observe,
			}[n%7])
			runtime.Gosched()
		}
	})
	workers.Wait()
	close(stop)
	operator.Wait()
	b.SetMode(breaker.Normal)
	s := b.Stats()
	if sum := s.Successes + s.Failures + s.Ignored + s.Late + s.Spared; sum != calls.went.Load() || s.Refused != calls.refused.Load() {
		t.Errorf("%d calls went out and %d were refused, but counted were %d: %+v", calls.went.Load(), calls.refused.Load(), sum, s)
	}
	if s.Probing != 0 {
		t.Errorf("all calls are over, but %d probes are out", s.Probing)
	}
}

// counts are those of the calls that were made and refused.
type counts struct{ went, refused atomic.Int64 }

func (c *counts) count(err error) {
	if errors.Is(err, breaker.ErrOpen) {
		c.refused.Add(1)
	} else {
		c.went.Add(1)
	}
}
