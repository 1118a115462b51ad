package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/joist-go/joist/breaker"
)

// refusal is an inner block's, which may also be a context's error.
type refusal struct {
	error
	refused bool
}

func (r refusal) Refused() bool { return r.refused }
func (r refusal) Unwrap() error { return r.error }

func TestOutcomesAreJudgedAsDocumented(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	detached, detach := context.WithCancelCause(context.Background())
	detach(fmt.Errorf("the load took too long: %w", context.DeadlineExceeded))
	late, stop := context.WithTimeoutCause(context.Background(), 0, errDown)
	defer stop()
	harmless := errors.New("not found")
	tests := []struct {
		name string
		ctx  context.Context // when the call returns
		err  error
		want string
	}{
		{"nil", nil, nil, "success"},
		{"any error", nil, errDown, "failure"},
		{"what IsFailure lets pass", nil, fmt.Errorf("user 7: %w", harmless), "success"},
		{"Ignore", nil, breaker.Ignore(errDown), "ignored"},
		{"Ignore, wrapped", nil, fmt.Errorf("call: %w", breaker.Ignore(errDown)), "ignored"},
		{"a refusal inside", nil, fmt.Errorf("call: %w", refusal{errDown, true}), "ignored"},
		{"a refusal that is a deadline too", nil, refusal{context.DeadlineExceeded, true}, "ignored"},
		{"an error that says it is no refusal", nil, refusal{errDown, false}, "failure"},
		{"a deadline that somebody set", nil, context.DeadlineExceeded, "failure"},
		{"a deadline of the caller", late, fmt.Errorf("get: %w", context.DeadlineExceeded), "failure"},
		{"the caller's own cancellation", cancelled, fmt.Errorf("get: %w", context.Canceled), "ignored"},
		{"somebody else's cancellation", nil, context.Canceled, "failure"},
		{"another error after a cancellation", cancelled, errDown, "failure"},
		{"a cancellation caused by a deadline", detached, context.Canceled, "failure"},
		{"a cancellation that a deadline with another cause brought", late, context.Canceled, "failure"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := must(breaker.New(breaker.Options{IsFailure: func(err error) bool { return !errors.Is(err, harmless) }}))
			// The context ends while the call is out: one that had ended before would not make the call.
			ctx := &switched{Context: context.Background()}
			got := b.Do(ctx, func(context.Context) error {
				if tt.ctx != nil {
					ctx.Context = tt.ctx
				}
				return tt.err
			})
			if got != tt.err {
				t.Errorf("Do returned %v, want %v as it is", got, tt.err)
			}
			s := b.Stats()
			outcomes := map[string]int64{"success": s.Successes, "failure": s.Failures, "ignored": s.Ignored}
			for outcome, n := range outcomes {
				if want := int64(0); outcome == tt.want && n != 1 || outcome != tt.want && n != want {
					t.Errorf("%s: %d; want one %s: %v", outcome, n, tt.want, outcomes)
				}
			}
		})
	}
}

// switched becomes another context.
type switched struct{ context.Context }

func TestIgnoreKeepsTheError(t *testing.T) {
	if breaker.Ignore(nil) != nil {
		t.Error("Ignore(nil) is an error")
	}
	err := breaker.Ignore(fmt.Errorf("call: %w", errDown))
	if !errors.Is(err, errDown) || err.Error() != "call: down" {
		t.Errorf("%v", err)
	}
}

func TestIsFailureMayUseTheBreaker(t *testing.T) {
	var b *breaker.Breaker
	b = must(breaker.New(breaker.Options{MinCalls: 1, IsFailure: func(error) bool { return b.State() == breaker.Closed }}))
	wantErr(t, fail(b), errDown)
	wantState(t, b, breaker.Open)
}

func TestAPanicInIsFailureIsAFailureOfTheCall(t *testing.T) {
	b := must(breaker.New(breaker.Options{IsFailure: func(error) bool { panic("boom") }}))
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not reach the caller")
			}
		}()
		_ = fail(b)
	}()
	if s := b.Stats(); s.Failures != 1 {
		t.Errorf("%+v", s)
	}
}
