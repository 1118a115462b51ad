package retry_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// Answers take from 1 to 100 ms, evenly. Every hedge answers at once, and so all slow first attempts are cut off: an
// estimate that did not know about them would sink and sink.
func TestAMeasuredDelayHedgesItsShareOfTheCallsForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		p := newPolicy(t, retry.Options{HedgePercentile: 0.95, Budget: retry.NoBudget})
		call := func() {
			slow := time.Duration(1+random.IntN(100)) * ms
			_, err := retry.Hedge(t.Context(), p, func(ctx context.Context) (int, error) {
				if retry.Attempt(ctx) > 1 {
					return 2, nil
				}
				select {
				case <-time.After(slow):
				case <-ctx.Done():
				}
				return 1, ctx.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 199 {
			call()
		}
		if s := p.Stats(); s.Hedges != 0 || s.HedgeDelay != 0 {
			t.Errorf("hedged before enough was measured: %+v", s)
		}
		for range 1000 {
			call()
		}
		before := p.Stats().Hedges
		const calls = 20_000
		for range calls {
			call()
		}
		s := p.Stats()
		share := float64(s.Hedges-before) / calls
		t.Logf("%.1f %% of calls hedged, after %v", share*100, s.HedgeDelay)
		if share < 0.02 || share > 0.08 {
			t.Errorf("%.1f %% of calls were hedged, want about 5 %%", share*100)
		}
		if s.HedgeDelay < 90*ms || s.HedgeDelay > 107*ms {
			t.Errorf("the delay is %v, want about 95ms", s.HedgeDelay)
		}
	})
}

func TestTheFixedDelayHoldsWhileTooLittleIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{HedgePercentile: 0.5, HedgeDelay: time.Second})
		if got := p.Stats().HedgeDelay; got != time.Second {
			t.Errorf("the delay is %v", got)
		}
		for range 100 {
			if _, err := retry.Hedge(t.Context(), p, stubborn(10*ms)); err != nil {
				t.Fatal(err)
			}
		}
		if got := p.Stats().HedgeDelay; got < 10*ms || got > 11*ms {
			t.Errorf("the delay is %v", got)
		}
	})
}

func TestFailuresSayNothingAboutTheDelayButTimeOutsDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{HedgePercentile: 0.5, AttemptTimeout: 100 * ms, Budget: retry.NoBudget})
		call := func(first reply) {
			fetch, _ := fetching(t, first, reply{after: ms, v: 2})
			if _, err := retry.Hedge(t.Context(), p, fetch); err != nil {
				t.Fatal(err)
			}
		}
		for range 500 {
			call(reply{after: ms, err: errDown})
		}
		if got := p.Stats().HedgeDelay; got != 0 {
			t.Errorf("the delay is %v after failures alone", got)
		}
		for range 100 {
			call(reply{})
		}
		if got := p.Stats().HedgeDelay; got < 100*ms || got > 107*ms {
			t.Errorf("the delay is %v after time-outs of 100ms", got)
		}
	})
}

// When the answers are so slow that callers run out of time, the delay must grow with them.
func TestACallThatRunsOutOfTimeCountsAsThatSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{HedgePercentile: 0.5, Budget: newBudget(t, retry.BudgetOptions{Burst: retry.NoBurst})})
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
			fetch, _ := fetching(t, reply{})
			if _, err := retry.Hedge(ctx, p, fetch); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			cancel()
		}
		if got := p.Stats().HedgeDelay; got < 100*ms || got > 107*ms {
			t.Errorf("the delay is %v after calls of 100ms that had no answer", got)
		}
	})
}

// Everything at once, on all cores: what is counted must fit together, and nothing may stay.
func TestHedgesUnderStress(t *testing.T) {
	const (
		callers = 16
		each    = 200
	)
	budget := newBudget(t, retry.BudgetOptions{Ratio: 0.5, Burst: 100})
	p := newPolicy(t, retry.Options{HedgeDelay: 100 * time.Microsecond, MaxHedges: 3, Budget: budget, Logger: quiet})
	var group sync.WaitGroup
	var unbegun atomic.Int64
	panics := make(chan struct{}, callers*each)
	for range callers {
		group.Go(func() {
			for range each {
				func() {
					ctx, cancel := context.WithTimeout(t.Context(), 5*ms) // some attempts end with it alone
					defer cancel()
					defer func() {
						if value := recover(); value != nil {
							if _, ok := value.(*retry.PanicError); !ok {
								t.Errorf("recovered %v", value)
							}
							panics <- struct{}{}
						}
					}()
					_, err := retry.Hedge(ctx, p, func(ctx context.Context) (int, error) {
						switch rand.IntN(8) {
						case 0:
							return 0, errDown
						case 1:
							return 0, retry.Permanent(errDown)
						case 2:
							cancel()
							return 0, errDown
						case 3:
							panic("boom")
						case 4:
							<-ctx.Done()
							panic("late")
						case 5:
							<-ctx.Done()
							return 0, ctx.Err()
						default:
							return 1, nil
						}
					})
					if err == context.DeadlineExceeded { //nolint:errorlint // as it is: no attempt was made
						unbegun.Add(1)
					}
				}()
			}
		})
	}
	group.Wait()
	s, b := p.Stats(), budget.Stats()
	ended := s.FirstTry + s.Recovered + s.Exhausted + s.Permanent + s.Budget + s.Deadline + s.Cancelled + int64(len(panics))
	if ended != callers*each || b.Calls != callers*each-unbegun.Load() {
		t.Errorf("%d calls ended and %d have earned, want %d: %+v", ended, b.Calls, callers*each, s)
	}
	if s.Hedges != b.Spent {
		t.Errorf("%d hedges, of which %d are paid", s.Hedges, b.Spent)
	}
	if limit := int64(100 + callers*each/2); s.Hedges > limit || s.Hedges == 0 {
		t.Errorf("%d hedges, want at most %d and some", s.Hedges, limit)
	}
}
