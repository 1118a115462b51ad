package retry_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/retry"
)

// openBreaker returns a breaker that stays open for the given time.
func openBreaker(t *testing.T, openFor time.Duration) *breaker.Breaker {
	t.Helper()
	b, err := breaker.New(breaker.Options{MinCalls: 1, Probes: 1, OpenFor: openFor, MaxOpenFor: openFor})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Do(t.Context(), func(context.Context) error { return errDown }); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	return b
}

func TestAnOpenBreakerEndsTheCallAtOnceWithItsRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBreaker(t, time.Minute)
		p := newPolicy(t, retry.Options{})
		began := time.Now()
		err := p.Do(t.Context(), func(ctx context.Context) error {
			return b.Do(ctx, func(context.Context) error { return nil })
		})
		if open, ok := errors.AsType[*breaker.OpenError](err); !ok || open.RetryAfter() <= 0 || time.Since(began) != 0 {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestABreakerThatOpensItsDoorInTimeIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBreaker(t, 2*time.Second)
		p := newPolicy(t, retry.Options{})
		began := time.Now()
		err := p.Do(t.Context(), func(ctx context.Context) error {
			return b.Do(ctx, func(context.Context) error { return nil })
		})
		if took := time.Since(began); err != nil || took < 2*time.Second || took > 2100*time.Millisecond {
			t.Errorf("got %v after %v, want success after 2s", err, took)
		}
	})
}

func TestABreakerThatOpensItsDoorTooLateForTheDeadlineIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBreaker(t, 2*time.Second)
		p := newPolicy(t, retry.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := p.Do(ctx, func(ctx context.Context) error {
			return b.Do(ctx, func(context.Context) error { return nil })
		})
		e := stopped(t, err, retry.ReasonDeadline, 1)
		if !e.Refused() || !errors.Is(err, breaker.ErrOpen) || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 0 {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestABreakerInsideSeesEachAttemptAndWhichItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := breaker.New(breaker.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p := newPolicy(t, retry.Options{})
		var seen []int
		_ = p.Do(t.Context(), func(ctx context.Context) error {
			return b.Do(ctx, func(ctx context.Context) error {
				seen = append(seen, retry.Attempt(ctx))
				return errDown
			})
		})
		if s := b.Stats(); s.Failures != 3 || !slices.Equal(seen, []int{1, 2, 3}) {
			t.Errorf("the breaker counted %+v, and saw attempts %v", s, seen)
		}
	})
}
