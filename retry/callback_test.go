package retry_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

func TestOnRetryTellsOfEachRetryRightBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *retry.Policy
		var events []retry.Event
		calls := 0
		p = newPolicy(t, retry.Options{Name: "api", MaxAttempts: 3, OnRetry: func(ctx context.Context, e retry.Event) {
			if calls != e.Attempt-1 {
				t.Errorf("told of attempt %d after %d calls", e.Attempt, calls)
			}
			p.Stats() // it may use the block, and call it
			if err := p.Do(ctx, func(context.Context) error { return nil }); err != nil {
				t.Error(err)
			}
			events = append(events, e)
		}})
		_ = p.Do(t.Context(), func(context.Context) error { calls++; return retry.After(errDown, time.Second) })
		if len(events) != 2 {
			t.Fatalf("told %d times, want 2", len(events))
		}
		for i, e := range events {
			if e.Policy != "api" || e.Attempt != i+2 || e.Waited != time.Second || !errors.Is(e.Err, errDown) {
				t.Errorf("event %d is %+v", i, e)
			}
		}
	})
}

func TestOnRetryIsNotCalledWhenNoRetryFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := retry.Options{OnRetry: func(context.Context, retry.Event) { t.Error("OnRetry was called") }}
		_ = newPolicy(t, o).Do(t.Context(), func(context.Context) error { return retry.Permanent(errDown) })

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_ = newPolicy(t, o).Do(ctx, func(context.Context) error { return retry.After(errDown, 5*time.Second) })

		o.Budget = newBudget(t, retry.BudgetOptions{Burst: retry.NoBurst})
		_ = newPolicy(t, o).Do(t.Context(), func(context.Context) error { return errDown })

		o.MaxAttempts = 1
		_ = newPolicy(t, o).Do(t.Context(), func(context.Context) error { return errDown })
	})
}

func TestAPanicPassesThroughAtAnyAttempt(t *testing.T) {
	for _, at := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			p := newPolicy(t, retry.Options{AttemptTimeout: time.Minute, Backoff: instant})
			var attempt context.Context
			func() {
				defer func() {
					if got := recover(); got != "boom" {
						t.Errorf("recovered %v", got)
					}
					buf := make([]byte, 1<<14)
					if stack := string(buf[:runtime.Stack(buf, false)]); !strings.Contains(stack, "workThatPanics") {
						t.Error("the stack of the panic is lost")
					}
				}()
				n := 0
				_ = p.Do(t.Context(), func(ctx context.Context) error {
					if n++; n == at {
						attempt = ctx
						workThatPanics()
					}
					return errDown
				})
			}()
			if attempt.Err() == nil {
				t.Error("the attempt's context was not released")
			}
			if err := p.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
				t.Errorf("the next call: %v", err)
			}
			if s := p.Stats(); s.FirstTry != 1 || s.Retries != int64(at-1) || s.Recovered+s.Permanent+s.Exhausted != 0 {
				t.Errorf("stats are %+v", s)
			}
		})
	}
}

//go:noinline
func workThatPanics() { panic("boom") }

func TestAGoexitEndsTheGoroutineAndNothingElse(t *testing.T) {
	for _, at := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			p := newPolicy(t, retry.Options{AttemptTimeout: time.Minute, Backoff: instant})
			returned, n := false, 0
			var attempt context.Context
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = p.Do(t.Context(), func(ctx context.Context) error {
					attempt = ctx
					if n++; n == at {
						runtime.Goexit()
					}
					return errDown
				})
				returned = true
			}()
			<-done
			if returned || n != at {
				t.Errorf("Do returned: %v, after %d attempts", returned, n)
			}
			if attempt.Err() == nil {
				t.Error("the attempt's context was not released")
			}
			if err := p.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
				t.Errorf("the next call: %v", err)
			}
		})
	}
}
