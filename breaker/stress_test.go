package breaker_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker"
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
			for range each {
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
	if s.Refused != refused.Load() || refused.Load()+out.Load() != goroutines*each {
		t.Errorf("%d refusals, counted %d", refused.Load(), s.Refused)
	}
	if s.Opened == 0 || closed.Load() == 0 {
		t.Errorf("the breaker opened %d times and closed %d times: nothing was tested", s.Opened, closed.Load())
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
