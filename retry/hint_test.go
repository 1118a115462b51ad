package retry_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// refusedError is a refusal as the blocks have them.
type refusedError struct{ after time.Duration }

func (refusedError) Error() string               { return "refused" }
func (refusedError) Refused() bool               { return true }
func (e refusedError) RetryAfter() time.Duration { return e.after }

func TestAHintIsTheLeastWait(t *testing.T) {
	for name, hint := range map[string]error{
		"After":     retry.After(errDown, 2*time.Second),
		"a refusal": refusedError{2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPolicy(t, retry.Options{Backoff: retry.Exponential(time.Millisecond, 10*time.Second)})
				work, _ := failing(1, hint)
				began := time.Now()
				if err := p.Do(t.Context(), work); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took != 2*time.Second {
					t.Errorf("it took %v, want the 2s of the hint", took)
				}
			})
		})
	}
}

func TestAHintDoesNotShortenTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxAttempts: 2, Backoff: retry.Exponential(time.Hour, time.Hour), Budget: retry.NoBudget})
		var sum time.Duration
		for range 100 {
			began := time.Now()
			_ = p.Do(t.Context(), func(context.Context) error { return retry.After(errDown, time.Second) })
			sum += time.Since(began)
		}
		if mean := sum / 100; mean < 20*time.Minute {
			t.Errorf("the mean wait is %v, want about half an hour", mean)
		}
	})
}

func TestAHintAboveMaxHintStopsAtOnceWithTheErrorAsItIs(t *testing.T) {
	for name, o := range map[string]retry.Options{
		"MaxHint":                   {MaxHint: time.Second},
		"the backoff's cap, if not": {Backoff: retry.Exponential(time.Millisecond, time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPolicy(t, o)
				for _, hint := range []error{retry.After(errDown, time.Second+1), refusedError{time.Minute}} {
					began := time.Now()
					work, calls := failing(1, hint)
					if err := p.Do(t.Context(), work); err != hint { //nolint:errorlint // as it is
						t.Errorf("got %v, want %v as it is", err, hint)
					}
					if *calls != 1 || time.Since(began) != 0 {
						t.Errorf("%d calls in %v", *calls, time.Since(began))
					}
				}
				if s := p.Stats(); s.Permanent != 2 {
					t.Errorf("stats are %+v", s)
				}
			})
		})
	}
}

func TestAHintOfExactlyMaxHintIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxHint: time.Minute})
		work, calls := failing(1, retry.After(errDown, time.Minute))
		if err := p.Do(t.Context(), work); err != nil || *calls != 2 {
			t.Errorf("%d calls, %v", *calls, err)
		}
	})
}

func TestAHintAboveMaxHintAtALaterAttemptIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{Backoff: instant, MaxHint: time.Second})
		calls := 0
		err := p.Do(t.Context(), func(context.Context) error {
			if calls++; calls == 1 {
				return errDown
			}
			return refusedError{time.Minute}
		})
		e := stopped(t, err, retry.ReasonPermanent, 2)
		if e.RetryAfter() != time.Minute {
			t.Errorf("RetryAfter is %v", e.RetryAfter())
		}
	})
}

func TestAnyHintIsWaitedForWithAnyHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxHint: retry.AnyHint})
		work, _ := failing(1, retry.After(errDown, 24*time.Hour))
		began := time.Now()
		if err := p.Do(t.Context(), work); err != nil || time.Since(began) != 24*time.Hour {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestARefusalWhoseHintMissesTheDeadlineStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := p.Do(ctx, func(context.Context) error { return refusedError{5 * time.Second} })
		e := stopped(t, err, retry.ReasonDeadline, 1)
		if !e.Refused() || e.RetryAfter() != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 0 {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestARefusalWithoutAHintIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		work, calls := failing(2, refusedError{})
		if err := p.Do(t.Context(), work); err != nil || *calls != 3 {
			t.Errorf("%d calls, %v", *calls, err)
		}
	})
}

func TestAHintOfForeverBringsNoOtherAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{HedgeDelay: time.Second, MaxHint: retry.AnyHint})
		for name, call := range map[string]func(context.Context, *retry.Policy, func(context.Context) error) error{"Do": do, "Hedge": hedge} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(24*time.Hour, cancel)
			work, calls := failing(9, retry.After(errDown, math.MaxInt64))
			began := time.Now()
			if err := call(ctx, p, work); !errors.Is(err, context.Canceled) || *calls != 1 || time.Since(began) != 24*time.Hour {
				t.Errorf("%s: %d calls, %v after %v", name, *calls, err, time.Since(began))
			}
		}
	})
}

func TestAHintThatIsTooLongForTheDeadlineTooIsADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{HedgeDelay: time.Hour, MaxHint: time.Second})
		for name, call := range map[string]func(context.Context, *retry.Policy, func(context.Context) error) error{"Do": do, "Hedge": hedge} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			work, _ := failing(9, retry.After(errDown, time.Minute))
			began := time.Now()
			err := call(ctx, p, work)
			stopped(t, err, retry.ReasonDeadline, 1)
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errDown) || time.Since(began) != 0 {
				t.Errorf("%s: %v after %v", name, err, time.Since(began))
			}
			cancel()
		}
	})
}
