package contract_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/pool"
	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/retry"
)

// What waits before a call: a retry, and a pool that is full. A wait that cannot fit ends at once where that can be
// known, any other with its caller, and the error tells both reasons.

func TestARetryDoesNotBeginAWaitThatCannotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := joist.Must(retry.New(retry.Options{MaxHint: retry.AnyHint}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := p.Do(ctx, overloaded)
		if took := time.Since(began); took != 0 {
			t.Errorf("waited for %v", took)
		}
		if !errors.Is(err, errOutage) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a reason is lost: %v", err)
		}
	})
}

func TestARetrysWaitEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := joist.Must(retry.New(retry.Options{MaxHint: retry.AnyHint}))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		err := p.Do(ctx, overloaded)
		if took := time.Since(began); took != time.Second {
			t.Errorf("answered after %v, want 1s", took)
		}
		if !errors.Is(err, errOutage) || !errors.Is(err, context.Canceled) {
			t.Errorf("a reason is lost: %v", err)
		}
	})
}

// overloaded fails, and asks to be left alone for an hour.
func overloaded(context.Context) error { return busyError{} }

type busyError struct{}

func (busyError) Error() string             { return "busy" }
func (busyError) Unwrap() error             { return errOutage }
func (busyError) RetryAfter() time.Duration { return time.Hour }

func TestTheWaitForAFullPoolEndsWithItsCaller(t *testing.T) {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		t.Run(end.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := joist.Must(pool.New(pool.Options{Workers: 1, Queue: pool.NoQueue}))
				release := occupied(func(call func(context.Context) error) {
					if err := p.Go(context.Background(), func(ctx context.Context) { _ = call(ctx) }); err != nil {
						t.Error(err)
					}
				})
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				if errors.Is(end, context.DeadlineExceeded) {
					ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				}
				defer cancel()
				began, ran := time.Now(), false
				err := p.Go(ctx, func(context.Context) { ran = true })
				if took := time.Since(began); took != time.Second {
					t.Errorf("answered after %v, want 1s", took)
				}
				if !errors.Is(err, end) {
					t.Errorf("got %v, want %v", err, end)
				}
				if errors.Is(end, context.DeadlineExceeded) && !errors.Is(err, pool.ErrFull) {
					t.Errorf("the real cause is lost: %v", err)
				}
				if err := errors.Join(release(t.Context()), p.Close(t.Context())); err != nil {
					t.Error(err)
				}
				if ran {
					t.Error("a task ran whose caller was told that it does not")
				}
			})
		})
	}
}

func TestTheWaitForAFullBulkheadEndsWithItsCaller(t *testing.T) {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		t.Run(end.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := joist.Must(bulkhead.New(bulkhead.Options{
					Limit: bulkhead.Fixed(1), MaxQueue: 1, MaxWait: bulkhead.Unlimited,
				}))
				release := occupied(func(call func(context.Context) error) { _ = b.Do(context.Background(), call) })
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				if errors.Is(end, context.DeadlineExceeded) {
					ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				}
				defer cancel()
				began := time.Now()
				err := b.Do(ctx, func(context.Context) error { t.Error("made"); return nil })
				if took := time.Since(began); took != time.Second {
					t.Errorf("answered after %v, want 1s", took)
				}
				if !errors.Is(err, end) || errors.Is(end, context.DeadlineExceeded) != errors.Is(err, bulkhead.ErrFull) {
					t.Errorf("got %v", err)
				}
				if err := release(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
