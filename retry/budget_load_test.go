package retry_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// load is what calls bring about whose attempts fail at a given rate, with a budget of 10 %.
type load struct {
	calls, attempts, failed int64
	bound                   float64 // of attempts per call
}

func (l load) perCall() float64 { return float64(l.attempts) / float64(l.calls) }

// loadAt has many callers make calls at the same time, with 4 attempts each as far as the budget allows.
func loadAt(t *testing.T, percent int64, backoff retry.Backoff, call func(context.Context, *retry.Policy, func(context.Context) error) error) load {
	t.Helper()
	const (
		calls   = 10_000
		callers = 50
		ratio   = 0.1
		burst   = 10
	)
	budget := newBudget(t, retry.BudgetOptions{Ratio: ratio, Burst: burst})
	p := newPolicy(t, retry.Options{MaxAttempts: 4, MaxHedges: 3, Backoff: backoff, Budget: budget})
	var attempts, failed atomic.Int64
	work := func(context.Context) error {
		if n := attempts.Add(1); n*37%100 < percent {
			return errDown
		}
		return nil
	}
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range calls / callers {
				if call(t.Context(), p, work) != nil {
					failed.Add(1)
				}
			}
		})
	}
	group.Wait()
	return load{calls, attempts.Load(), failed.Load(), 1 + ratio + float64(burst)/calls}
}

func do(ctx context.Context, p *retry.Policy, work func(context.Context) error) error {
	return p.Do(ctx, work)
}

func hedge(ctx context.Context, p *retry.Policy, work func(context.Context) error) error {
	_, err := retry.Hedge(ctx, p, func(ctx context.Context) (struct{}, error) { return struct{}{}, work(ctx) })
	return err
}

var failureRates = []int64{0, 5, 10, 20, 50, 75, 100}

func TestLoadGrowsByNoMoreThanTheBudgetAtAnyFailureRate(t *testing.T) {
	t.Log("attempts that fail   attempts per call   bound   calls that fail")
	for _, percent := range failureRates {
		synctest.Test(t, func(t *testing.T) {
			l := loadAt(t, percent, retry.Exponential(time.Millisecond, time.Second), do)
			t.Logf("%18d %%   %17.3f   %.3f   %13.1f %%", percent, l.perCall(), l.bound, float64(l.failed)*100/float64(l.calls))
			if l.perCall() > l.bound {
				t.Errorf("%d %%: %.4f attempts per call, above %.4f", percent, l.perCall(), l.bound)
			}
			if l.attempts < l.calls {
				t.Errorf("%d %%: %d attempts for %d calls: a first attempt was refused", percent, l.attempts, l.calls)
			}
			if percent == 100 && l.perCall() < l.bound-0.01 {
				t.Errorf("%.4f attempts per call: the budget of %.4f is not used", l.perCall(), l.bound)
			}
			if percent <= 5 && l.failed > l.calls/100 {
				t.Errorf("%d %%: %d calls failed though the budget has room", percent, l.failed)
			}
		})
	}
}

// Outside of a bubble the callers run on all cores, and meet in the budget.
func TestCallersOnAllCoresCannotExceedTheBudget(t *testing.T) {
	for name, call := range map[string]func(context.Context, *retry.Policy, func(context.Context) error) error{"Do": do, "Hedge": hedge} {
		for _, percent := range failureRates {
			if l := loadAt(t, percent, instant, call); l.perCall() > l.bound || l.attempts < l.calls {
				t.Errorf("%s, %d %%: %.4f attempts per call, want from 1 to %.4f", name, percent, l.perCall(), l.bound)
			}
		}
	}
}
