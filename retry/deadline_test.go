package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// stopped returns err as the *retry.Error it must be.
func stopped(t *testing.T, err error, reason retry.Reason, attempts int) *retry.Error {
	t.Helper()
	e, ok := errors.AsType[*retry.Error](err)
	if !ok {
		t.Fatalf("got %v, want a *retry.Error", err)
	}
	if e.Reason != reason || e.Attempts != attempts {
		t.Errorf("stopped after %d attempts for the reason %v, want %d, %v", e.Attempts, e.Reason, attempts, reason)
	}
	return e
}

func TestAWaitThatDoesNotFitIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxHint: retry.AnyHint})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := p.Do(ctx, func(context.Context) error { return retry.After(errDown, time.Second) })
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		stopped(t, err, retry.ReasonDeadline, 1)
		if !errors.Is(err, errDown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v lacks its causes", err)
		}
	})
}

func TestAnAttemptThatWouldNotFitIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{Backoff: instant})
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := p.Do(ctx, func(context.Context) error { time.Sleep(100 * time.Millisecond); return errDown })
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("it took %v, want the one attempt's 100ms", took)
		}
		stopped(t, err, retry.ReasonDeadline, 1)
		if !errors.Is(err, errDown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v lacks its causes", err)
		}
	})
}

func TestTheEstimateFollowsSampledSuccesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{Backoff: instant})
		for range 200 {
			if err := p.Do(t.Context(), func(context.Context) error { time.Sleep(time.Second); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if got := p.Stats().TypicalAttempt; got != time.Second {
			t.Errorf("a typical attempt is %v, want 1s", got)
		}
		for range 2000 {
			if err := p.Do(t.Context(), func(context.Context) error { time.Sleep(3 * time.Second); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if got := p.Stats().TypicalAttempt; got < 2900*time.Millisecond || got > 3*time.Second {
			t.Errorf("a typical attempt is %v, want about 3s", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		work, calls := failing(1, errDown)
		stopped(t, p.Do(ctx, work), retry.ReasonDeadline, 1)
		if *calls != 1 {
			t.Errorf("called %d times", *calls)
		}
	})
}

// While attempts succeed fast few are timed. Once they begin to fail all are, so that the estimate knows how long those
// that fail take.
func TestAfterAFailureEveryAttemptIsTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxAttempts: 1})
		for range 100 {
			_ = p.Do(t.Context(), func(context.Context) error { time.Sleep(time.Millisecond); return nil })
		}
		for range 33 { // the first may be untimed
			_ = p.Do(t.Context(), func(context.Context) error { time.Sleep(time.Second); return errDown })
		}
		if got := p.Stats().TypicalAttempt; got < 980*time.Millisecond {
			t.Errorf("a typical attempt is %v, want about 1s", got)
		}
	})
}

// An attempt that fails while the first is under way has been timed too.
func TestAYoungPolicyTimesEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{Backoff: instant})
		end := make(chan struct{})
		defer close(end)
		go func() { _ = p.Do(t.Context(), func(context.Context) error { <-end; return nil }) }()
		synctest.Wait()
		for n := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
			began := time.Now()
			err := p.Do(ctx, func(context.Context) error { time.Sleep(100 * time.Millisecond); return errDown })
			stopped(t, err, retry.ReasonDeadline, 1)
			if took := time.Since(began); took != 100*time.Millisecond {
				t.Errorf("call %d took %v, want the one attempt's 100ms", n, took)
			}
			cancel()
		}
	})
}

func TestARetryGoesOutWhenItFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{Backoff: instant})
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		work, _ := failing(1, errDown)
		if err := p.Do(ctx, func(ctx context.Context) error { time.Sleep(100 * time.Millisecond); return work(ctx) }); err != nil {
			t.Error(err)
		}
	})
}

func TestAContextThatIsOverRunsNothing(t *testing.T) {
	p := newPolicy(t, retry.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	work, calls := failing(0, nil)
	if err := p.Do(ctx, work); err != context.Canceled { //nolint:errorlint // as it is
		t.Errorf("got %v, want ctx.Err() as it is", err)
	}
	if *calls != 0 {
		t.Errorf("called %d times", *calls)
	}
	if s := p.Stats(); s.Cancelled != 1 {
		t.Errorf("stats are %+v", s)
	}
}

func TestACallerWhoLeavesDuringAWaitIsAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxHint: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		began := time.Now()
		err := p.Do(ctx, func(context.Context) error { return retry.After(errDown, time.Minute) })
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("answered after %v, want 3s", took)
		}
		e := stopped(t, err, retry.ReasonCancelled, 1)
		if e.Waited != 3*time.Second {
			t.Errorf("waited %v, want 3s", e.Waited)
		}
		if !errors.Is(err, errDown) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v lacks its causes", err)
		}
	})
}

func TestACallerWhoLeavesDuringAnAttemptGetsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		calls := 0
		err := p.Do(ctx, func(ctx context.Context) error { calls++; <-ctx.Done(); return errDown })
		stopped(t, err, retry.ReasonCancelled, 1)
		if calls != 1 || !errors.Is(err, errDown) || !errors.Is(err, context.Canceled) {
			t.Errorf("%d calls, %v", calls, err)
		}
	})
}

func TestACallerWhoLeavesDuringTheLastAttemptIsToldSo(t *testing.T) {
	p := newPolicy(t, retry.Options{MaxAttempts: 2, Backoff: instant})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := p.Do(ctx, func(ctx context.Context) error {
		if retry.Attempt(ctx) == 2 {
			cancel()
		}
		return errDown
	})
	stopped(t, err, retry.ReasonCancelled, 2)
}

func TestADeadlineThatPassesDuringAnAttemptIsTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := p.Do(ctx, func(ctx context.Context) error { <-ctx.Done(); return errDown })
		stopped(t, err, retry.ReasonDeadline, 1)
		if !errors.Is(err, errDown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v lacks its causes", err)
		}
		if err := p.Do(ctx, func(context.Context) error { return nil }); err != context.DeadlineExceeded { //nolint:errorlint // as it is
			t.Errorf("got %v, want ctx.Err() as it is", err)
		}
		if s := p.Stats(); s.Deadline != 2 || s.Cancelled != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

// deaf is over after a while and never says so on Done, as if it ended at the very moment that a wait does.
type deaf struct {
	context.Context
	over time.Time
}

func (deaf) Done() <-chan struct{} { return nil }

func (d deaf) Err() error {
	if time.Now().Before(d.over) {
		return nil
	}
	return context.Canceled
}

func TestACallerWhoLeavesAsTheWaitEndsGetsNoOtherAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		work, calls := failing(9, retry.After(errDown, time.Second))
		err := p.Do(deaf{t.Context(), time.Now().Add(time.Second)}, work)
		stopped(t, err, retry.ReasonCancelled, 1)
		if *calls != 1 {
			t.Errorf("called %d times", *calls)
		}
	})
}

func TestAnAttemptsOwnDeadlineIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{AttemptTimeout: time.Second, Backoff: instant})
		calls := 0
		began := time.Now()
		err := p.Do(t.Context(), func(ctx context.Context) error {
			if calls++; calls < 3 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		if err != nil || calls != 3 {
			t.Errorf("%d calls, %v", calls, err)
		}
		if took := time.Since(began); took < 2*time.Second || took > 2*time.Second+time.Millisecond {
			t.Errorf("it took %v, want 2s", took)
		}
	})
}

func TestSomebodyElsesContextErrorIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		work, calls := failing(1, context.Canceled)
		if err := p.Do(t.Context(), work); err != nil || *calls != 2 {
			t.Errorf("%d calls, %v", *calls, err)
		}
	})
}

func TestATypicalAttemptIsNotLongerThanItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{AttemptTimeout: 10 * time.Millisecond, Backoff: instant})
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		calls := 0
		_ = p.Do(ctx, func(context.Context) error { // deaf to its context
			calls++
			time.Sleep(100 * time.Millisecond)
			return errDown
		})
		if calls != 2 {
			t.Errorf("called %d times, want 2: the time-out says that the second fits", calls)
		}
	})
}

// What would end at the very deadline is late: whoever waits for it has left.
func TestARetryThatWouldEndAtTheDeadlineIsNotBegun(t *testing.T) {
	for name, call := range map[string]func(context.Context, *retry.Policy, func(context.Context) error) error{"Do": do, "Hedge": hedge} {
		synctest.Test(t, func(t *testing.T) {
			p := newPolicy(t, retry.Options{MaxAttempts: 2, HedgeDelay: time.Minute, MaxHint: retry.AnyHint})
			for timeout, want := range map[time.Duration]int{22 * time.Second: 1, 22*time.Second + 1: 2} {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				calls := 0
				_ = call(ctx, p, func(context.Context) error {
					calls++
					time.Sleep(time.Second)
					return retry.After(errDown, 20*time.Second)
				})
				cancel()
				if calls != want {
					t.Errorf("%s made %d attempts within %v, want %d", name, calls, timeout, want)
				}
			}
		})
	}
}
