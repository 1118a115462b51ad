package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// numbered is an error that tells which attempt it is of.
type numbered struct{ n int }

func (e *numbered) Error() string { return fmt.Sprintf("attempt %d failed", e.n) }

// hopeless says of itself that no retry can help.
type hopelessError struct{}

func (hopelessError) Error() string   { return "hopeless" }
func (hopelessError) Retryable() bool { return false }

func TestAFirstAttemptThatNeedsNoRetryGivesItsErrorAsItIs(t *testing.T) {
	for name, c := range map[string]struct {
		options retry.Options
		err     error
	}{
		"Permanent":             {retry.Options{}, retry.Permanent(errDown)},
		"wrapped Permanent":     {retry.Options{}, fmt.Errorf("wrapped: %w", retry.Permanent(errDown))},
		"its own Retryable":     {retry.Options{}, hopelessError{}},
		"Options.Retryable":     {retry.Options{Retryable: func(err error) bool { return !errors.Is(err, errDown) }}, errDown},
		"MaxAttempts 1":         {retry.Options{MaxAttempts: 1}, errDown},
		"MaxAttempts 1, a hint": {retry.Options{MaxAttempts: 1}, refusedError{time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPolicy(t, c.options)
			work, calls := failing(9, c.err)
			if err := p.Do(t.Context(), work); err != c.err { //nolint:errorlint // as it is
				t.Errorf("got %#v, want %#v", err, c.err)
			}
			if *calls != 1 {
				t.Errorf("called %d times", *calls)
			}
		})
	}
}

func TestEachReasonHasItsError(t *testing.T) {
	empty := newBudget(t, retry.BudgetOptions{Burst: retry.NoBurst})
	all := []error{retry.ErrExhausted, retry.ErrBudget, context.DeadlineExceeded, context.Canceled}
	for _, c := range []struct {
		reason  retry.Reason
		options retry.Options
		second  error // of the second attempt; the first is numbered
		leave   bool
		want    error
		count   func(retry.Stats) int64
	}{
		{reason: retry.ReasonExhausted, options: retry.Options{MaxAttempts: 2}, second: errDown, want: retry.ErrExhausted,
			count: func(s retry.Stats) int64 { return s.Exhausted }},
		{reason: retry.ReasonPermanent, second: retry.Permanent(errDown), count: func(s retry.Stats) int64 { return s.Permanent }},
		{reason: retry.ReasonBudget, options: retry.Options{Budget: empty}, want: retry.ErrBudget,
			count: func(s retry.Stats) int64 { return s.Budget }},
		{reason: retry.ReasonDeadline, second: retry.After(errDown, 5*time.Second), want: context.DeadlineExceeded,
			count: func(s retry.Stats) int64 { return s.Deadline }},
		{reason: retry.ReasonCancelled, second: errDown, leave: true, want: context.Canceled,
			count: func(s retry.Stats) int64 { return s.Cancelled }},
	} {
		t.Run(c.reason.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.options.Backoff = instant
				p := newPolicy(t, c.options)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				n := 0
				var last error
				err := p.Do(ctx, func(context.Context) error {
					if n++; n == 1 {
						last = &numbered{n}
						return last
					}
					if c.leave {
						cancel()
					}
					last = c.second
					return last
				})
				e := stopped(t, err, c.reason, n)
				if e.Last != last || e.History[len(e.History)-1] != last || len(e.History) != n { //nolint:errorlint // as it is
					t.Errorf("got %+v, want the last error %v", e, last)
				}
				for _, target := range all {
					if got, want := errors.Is(err, target), target == c.want; got != want { //nolint:errorlint // the very sentinel
						t.Errorf("errors.Is(%v, %v) is %v", err, target, got)
					}
				}
				if got := c.count(p.Stats()); got != 1 {
					t.Errorf("stats are %+v", p.Stats())
				}
			})
		})
	}
}

func TestTheHistoryIsBoundedAndNeverUnwrapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxAttempts: 100, Backoff: instant, Budget: retry.NoBudget})
		n := 0
		err := p.Do(t.Context(), func(context.Context) error {
			if n++; n == 100 {
				return errDown
			}
			return &numbered{n}
		})
		e := stopped(t, err, retry.ReasonExhausted, 100)
		if len(e.History) != retry.MaxHistory {
			t.Fatalf("a history of %d, want %d", len(e.History), retry.MaxHistory)
		}
		for i, old := range e.History[:retry.MaxHistory-1] {
			if want := 100 - retry.MaxHistory + i + 1; old.(*numbered).n != want { //nolint:errorlint,forcetypeassert // made above
				t.Errorf("entry %d is %v, want attempt %d", i, old, want)
			}
		}
		if old, ok := errors.AsType[*numbered](err); ok {
			t.Errorf("errors.As finds %v of an old attempt", old)
		}
	})
}

func TestAnErrorAnswersForItsLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxAttempts: 2, Backoff: instant, MaxHint: time.Minute})
		do := func(errs ...error) *retry.Error {
			n := 0
			err := p.Do(t.Context(), func(context.Context) error { n++; return errs[n-1] })
			e, ok := errors.AsType[*retry.Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			return e
		}
		if e := do(retry.After(errDown, time.Second), errDown); e.RetryAfter() != 0 || !e.Retryable() || e.Refused() {
			t.Errorf("hint %v, retryable %v, refused %v", e.RetryAfter(), e.Retryable(), e.Refused())
		}
		if e := do(errDown, retry.After(errDown, time.Second)); e.RetryAfter() != time.Second {
			t.Errorf("hint %v", e.RetryAfter())
		}
		if e := do(errDown, retry.Permanent(errDown)); e.Retryable() {
			t.Error("a permanent last error is not retryable")
		}
		if e := do(errDown, context.DeadlineExceeded); !e.Timeout() {
			t.Error("the last attempt timed out")
		}
		if e := do(context.DeadlineExceeded, errDown); e.Timeout() {
			t.Error("an earlier attempt timed out, not the last")
		}
		if e := do(errDown, refusedError{}); e.Refused() {
			t.Error("one attempt was made: the call was not refused")
		}
		if e := do(refusedError{}, refusedError{}); !e.Refused() {
			t.Error("every attempt was refused")
		}
	})
}

func TestMarksKeepTheErrorTheyMark(t *testing.T) {
	for name, err := range map[string]error{
		"Permanent": retry.Permanent(&numbered{1}), "After": retry.After(&numbered{1}, time.Second),
	} {
		if _, ok := errors.AsType[*numbered](err); !ok || err.Error() != "attempt 1 failed" {
			t.Errorf("%s gives %v", name, err)
		}
	}
	if retry.Permanent(nil) != nil || retry.After(nil, time.Second) != nil {
		t.Error("a mark on nil is not nil")
	}
}

func TestAnAfterOfZeroHidesAHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{Backoff: instant})
		began := time.Now()
		work, _ := failing(1, retry.After(refusedError{time.Second}, 0))
		if err := p.Do(t.Context(), work); err != nil || time.Since(began) > time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestAnErrorsTextNamesPolicyAttemptsAndReason(t *testing.T) {
	err := &retry.Error{Policy: "api", Attempts: 3, Reason: retry.ReasonExhausted, Last: errDown}
	if got, want := err.Error(), `joist/retry: "api" stopped after 3 attempts (exhausted): down`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	err = &retry.Error{Attempts: 1, Reason: 9, Last: errDown}
	if got, want := err.Error(), `joist/retry: "" stopped after 1 attempt (Reason(9)): down`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if (&retry.Error{}).RetryAfter() != 0 || !(&retry.Error{}).Retryable() {
		t.Error("a zero Error must answer too")
	}
}
