package retry_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// instant is a backoff that costs no time.
var instant = retry.Exponential(1, 1)

// succeedN makes n calls that succeed.
func succeedN(t *testing.T, p *retry.Policy, n int) {
	t.Helper()
	for range n {
		if err := p.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// failN makes n calls that fail, and returns how many attempts they made.
func failN(t *testing.T, p *retry.Policy, n int) (attempts int) {
	t.Helper()
	for range n {
		_ = p.Do(t.Context(), func(context.Context) error { attempts++; return errDown })
	}
	return attempts
}

func TestAtFirstOnlyTheBurstIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxAttempts: 2, Backoff: instant, Budget: newBudget(t, retry.BudgetOptions{Ratio: 0.1, Burst: 3})})
		if got := failN(t, p, 5); got != 5+3 {
			t.Errorf("5 calls made %d attempts, want 5 and 3 retries", got)
		}
		if s := p.Stats(); s.Exhausted != 3 || s.Budget != 2 || s.Retries != 3 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestTenCallsEarnARetryAtTenPercent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := newBudget(t, retry.BudgetOptions{Ratio: 0.1, Burst: retry.NoBurst})
		p := newPolicy(t, retry.Options{MaxAttempts: 2, Backoff: instant, Budget: budget})
		succeedN(t, p, 8)
		if got := failN(t, p, 1); got != 1 {
			t.Errorf("the 9th call made %d attempts, want 1", got)
		}
		if got := failN(t, p, 1); got != 2 {
			t.Errorf("the 10th call made %d attempts, want 2", got)
		}
		if s := budget.Stats(); s.Calls != 10 || s.Spent != 1 || s.Refused != 1 || s.Available != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestASpentBudgetEndsTheCallAtOnceWithTheLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{Backoff: retry.Exponential(time.Second, time.Second), Budget: newBudget(t, retry.BudgetOptions{Burst: retry.NoBurst})})
		began := time.Now()
		work, calls := failing(9, errDown)
		err := p.Do(t.Context(), work)
		e, ok := errors.AsType[*retry.Error](err)
		if !ok || e.Reason != retry.ReasonBudget || e.Attempts != 1 {
			t.Errorf("got %#v", err)
		}
		if !errors.Is(err, errDown) || !errors.Is(err, retry.ErrBudget) {
			t.Errorf("%v lacks its causes", err)
		}
		if *calls != 1 || time.Since(began) != 0 {
			t.Errorf("%d calls in %v", *calls, time.Since(began))
		}
	})
}

func TestPoliciesShareABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := newBudget(t, retry.BudgetOptions{Ratio: 0.1, Burst: retry.NoBurst})
		earns := newPolicy(t, retry.Options{Budget: budget})
		spends := newPolicy(t, retry.Options{Budget: budget, MaxAttempts: 2, Backoff: instant})
		succeedN(t, earns, 50)
		if got := failN(t, spends, 10); got != 10+6 {
			t.Errorf("10 calls made %d attempts, want 10 and the 6 retries that 60 calls earn", got)
		}
	})
}

func TestARetryThatDoesNotGoOutIsNotPaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := newBudget(t, retry.BudgetOptions{Burst: 1})
		p := newPolicy(t, retry.Options{Backoff: retry.Exponential(time.Hour, time.Hour), Budget: budget})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Nanosecond, cancel)
		if err := p.Do(ctx, func(context.Context) error { return retry.After(errDown, time.Minute) }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if s := budget.Stats(); s.Available != 1 || s.Spent != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestCallsThatFailTogetherCannotOverspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxAttempts: 3, Backoff: retry.Exponential(time.Second, time.Second),
			Budget: newBudget(t, retry.BudgetOptions{Ratio: 0.0001, Burst: 10})})
		var group sync.WaitGroup
		for range 200 {
			group.Go(func() { _ = p.Do(t.Context(), func(context.Context) error { return errDown }) })
		}
		group.Wait()
		if s := p.Stats(); s.Retries != 10 {
			t.Errorf("%d retries went out, want 10", s.Retries)
		}
	})
}

func TestWhatWasEarnedAboveTheBurstFadesWithTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := newBudget(t, retry.BudgetOptions{Ratio: 0.1, Burst: 5, Window: 10 * time.Second})
		p := newPolicy(t, retry.Options{Budget: budget})
		for range 100 { // 100 calls/s for 10 windows: the last window's 1000 calls are worth 100 retries
			time.Sleep(time.Second)
			succeedN(t, p, 100)
		}
		if got := budget.Stats().Available; got < 95 || got > 110 {
			t.Errorf("%.1f retries are available after steady traffic, want about 100", got)
		}
		time.Sleep(10 * time.Second)
		if got := budget.Stats().Available; got < 34 || got > 41 {
			t.Errorf("%.1f are available a window later, want about 100/e", got)
		}
		time.Sleep(time.Hour)
		if got := budget.Stats().Available; got != 5 {
			t.Errorf("%.1f are available after an hour, want the burst of 5", got)
		}
	})
}

func TestAQuietServiceSavesUpToTheBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := newBudget(t, retry.BudgetOptions{Ratio: 0.1, Burst: 2})
		p := newPolicy(t, retry.Options{Budget: budget, MaxAttempts: 2, Backoff: instant})
		failN(t, p, 5)
		for range 100 { // a call per minute, far apart from any window
			time.Sleep(time.Minute)
			succeedN(t, p, 1)
		}
		if got := failN(t, p, 5); got != 5+2 {
			t.Errorf("5 calls made %d attempts, want 5 and the burst of 2", got)
		}
	})
}

func TestNoBudgetLetsEveryRetryOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxAttempts: 3, Backoff: instant, Budget: retry.NoBudget})
		if got := failN(t, p, 1000); got != 3000 {
			t.Errorf("%d attempts, want 3000", got)
		}
		if s := retry.NoBudget.Stats(); !s.Unlimited {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestThePrivateBudgetIsTenPercent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxAttempts: 3, Backoff: instant})
		// The first call finds the budget full, so that what it earns is lost.
		if got := failN(t, p, 1000); got != 1000+retry.DefaultBurst+99 {
			t.Errorf("1000 calls made %d attempts, want 1109", got)
		}
	})
}
