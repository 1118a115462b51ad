package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

var errDown = errors.New("down")

// newPolicy returns a policy that must be valid.
func newPolicy(t testing.TB, o retry.Options) *retry.Policy {
	t.Helper()
	p, err := retry.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newBudget returns a budget that must be valid.
func newBudget(t testing.TB, o retry.BudgetOptions) *retry.Budget {
	t.Helper()
	b, err := retry.NewBudget(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// failing returns work that fails with err the first n times, and how often it was called.
func failing(n int, err error) (work func(context.Context) error, calls *int) {
	calls = new(int)
	return func(context.Context) error {
		*calls++
		if *calls <= n {
			return err
		}
		return nil
	}, calls
}

func TestASuccessIsNotRepeated(t *testing.T) {
	p := newPolicy(t, retry.Options{})
	work, calls := failing(0, nil)
	if err := p.Do(t.Context(), work); err != nil {
		t.Fatal(err)
	}
	if *calls != 1 {
		t.Errorf("called %d times, want 1", *calls)
	}
	if s := p.Stats(); s.FirstTry != 1 || s.Retries != 0 {
		t.Errorf("stats are %+v", s)
	}
}

func TestAFailureIsRepeatedUntilItSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		work, calls := failing(2, errDown)
		if err := p.Do(t.Context(), work); err != nil {
			t.Fatal(err)
		}
		if *calls != 3 {
			t.Errorf("called %d times, want 3", *calls)
		}
		if s := p.Stats(); s.Recovered != 1 || s.Retries != 2 || s.FirstTry != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestTheLastOfMaxAttemptsEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{Name: "api", MaxAttempts: 4})
		work, calls := failing(100, errDown)
		err := p.Do(t.Context(), work)
		if *calls != 4 {
			t.Errorf("called %d times, want 4", *calls)
		}
		e, ok := errors.AsType[*retry.Error](err)
		if !ok {
			t.Fatalf("got %v, want a *retry.Error", err)
		}
		if e.Reason != retry.ReasonExhausted || e.Attempts != 4 || e.Policy != "api" || e.Last != errDown || len(e.History) != 4 {
			t.Errorf("got %+v", e)
		}
		if !errors.Is(err, errDown) || !errors.Is(err, retry.ErrExhausted) {
			t.Errorf("%v lacks its causes", err)
		}
	})
}

func TestTheErrorTellsHowLongTheCallWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		err := p.Do(t.Context(), func(context.Context) error { return retry.After(errDown, 5*time.Second) })
		if e := stopped(t, err, retry.ReasonExhausted, 3); e.Waited != 10*time.Second {
			t.Errorf("waited %v, want 10s", e.Waited)
		}
	})
}

func TestWaitsGrowFromAttemptToAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var longest time.Duration
		p := newPolicy(t, retry.Options{
			MaxAttempts: 12, Backoff: retry.Exponential(time.Second, time.Hour), Budget: retry.NoBudget,
			OnRetry: func(_ context.Context, e retry.Event) {
				if limit := time.Second << (e.Attempt - 2); e.Waited > limit {
					t.Errorf("%v before attempt %d, above %v", e.Waited, e.Attempt, limit)
				}
				longest = max(longest, e.Waited)
			},
		})
		for range 20 {
			_ = p.Do(t.Context(), func(context.Context) error { return errDown })
		}
		if longest < 500*time.Second {
			t.Errorf("the longest of 20 waits between 0 and 1024s was %v", longest)
		}
	})
}

func TestUnlimitedAttemptsEndAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxAttempts: retry.Unlimited, Budget: retry.NoBudget})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		work, calls := failing(1_000_000, errDown)
		err := p.Do(ctx, work)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errDown) {
			t.Errorf("got %v", err)
		}
		if *calls < 10 {
			t.Errorf("called only %d times", *calls)
		}
	})
}

func TestWorkKnowsWhichAttemptItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		var seen []int
		_ = p.Do(t.Context(), func(ctx context.Context) error {
			seen = append(seen, retry.Attempt(ctx))
			return errDown
		})
		if len(seen) != 3 || seen[0] != 1 || seen[1] != 2 || seen[2] != 3 {
			t.Errorf("attempts saw %v", seen)
		}
	})
}

func TestDoValueReturnsTheValueOfTheLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		n := 0
		v, err := retry.DoValue(t.Context(), p, func(context.Context) (int, error) {
			n++
			if n < 3 {
				return -n, errDown
			}
			return n, nil
		})
		if v != 3 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		v, err = retry.DoValue(t.Context(), p, func(context.Context) (int, error) { return 7, retry.Permanent(errDown) })
		if v != 7 || !errors.Is(err, errDown) {
			t.Errorf("got %d, %v", v, err)
		}
	})
}
