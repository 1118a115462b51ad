package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// everySecond waits exactly a second between attempts.
var everySecond = retry.Constant(time.Second).WithJitter(retry.None)

func TestMaxElapsedEndsACallBeforeAWaitThatDoesNotFit(t *testing.T) {
	for name, call := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPolicy(t, retry.Options{MaxAttempts: retry.Unlimited, Backoff: everySecond, MaxElapsed: 3500 * time.Millisecond, Budget: retry.NoBudget})
				began := time.Now()
				err := call(t.Context(), p, func(context.Context) error { return errDown })
				if took := time.Since(began); took != 3*time.Second {
					t.Errorf("it took %v, want 3s: a fourth wait does not fit into 3.5s", took)
				}
				stopped(t, err, retry.ReasonDeadline, 4)
				if !errors.Is(err, errDown) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v lacks its causes", err)
				}
				if s := p.Stats(); s.Deadline != 1 {
					t.Errorf("stats are %+v", s)
				}
			})
		})
	}
}

func TestMaxElapsedCountsAttemptsAndTheOneToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxAttempts: retry.Unlimited, Backoff: everySecond, MaxElapsed: 10 * time.Second, Budget: retry.NoBudget})
		began := time.Now()
		err := p.Do(t.Context(), func(context.Context) error { time.Sleep(2 * time.Second); return errDown })
		// Attempts end at 2, 5 and 8; the next would end at 11.
		if took := time.Since(began); took != 8*time.Second {
			t.Errorf("it took %v, want 8s", took)
		}
		stopped(t, err, retry.ReasonDeadline, 3)
	})
}

func TestMaxElapsedNeverCutsAnAttemptShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxElapsed: time.Second})
		err := p.Do(t.Context(), func(ctx context.Context) error {
			if _, limited := ctx.Deadline(); limited {
				t.Error("the attempt has a deadline")
			}
			time.Sleep(time.Minute)
			return ctx.Err()
		})
		if err != nil {
			t.Errorf("an attempt that takes longer and succeeds is a success, got %v", err)
		}
		err = p.Do(t.Context(), func(context.Context) error { time.Sleep(time.Minute); return errDown })
		stopped(t, err, retry.ReasonDeadline, 1)
	})
}

func TestTheEarlierOfDeadlineAndMaxElapsedHolds(t *testing.T) {
	for name, c := range map[string]struct{ deadline, elapsed time.Duration }{
		"the deadline": {2500 * time.Millisecond, time.Minute},
		"MaxElapsed":   {time.Minute, 2500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPolicy(t, retry.Options{MaxAttempts: retry.Unlimited, Backoff: everySecond, MaxElapsed: c.elapsed, Budget: retry.NoBudget})
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				began := time.Now()
				stopped(t, p.Do(ctx, func(context.Context) error { return errDown }), retry.ReasonDeadline, 3)
				if took := time.Since(began); took != 2*time.Second {
					t.Errorf("it took %v, want 2s", took)
				}
			})
		})
	}
}

func TestMaxElapsedBeginsAnewWithEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxElapsed: 2 * time.Second, Backoff: everySecond})
		for range 3 {
			time.Sleep(time.Hour)
			work, _ := failing(1, errDown)
			if err := p.Do(t.Context(), work); err != nil {
				t.Error(err)
			}
		}
	})
}
