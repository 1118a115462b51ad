package outcome_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/joist-go/joist/internal/outcome"
)

var errDown = errors.New("down")

// refusal is an inner block's, which may also be a context's error.
type refusal struct {
	error
	refused bool
}

func (r refusal) Refused() bool { return r.refused }
func (r refusal) Unwrap() error { return r.error }

func TestWhatACallReturnedIsJudgedByTheContextItHad(t *testing.T) {
	live := context.Background()
	cancelled, cancel := context.WithCancel(live)
	cancel()
	detached, detach := context.WithCancelCause(live)
	detach(fmt.Errorf("the load took too long: %w", context.DeadlineExceeded))
	late, stop := context.WithTimeoutCause(live, 0, errDown)
	defer stop()
	harmless := errors.New("not found")
	for _, tt := range []struct {
		name string
		ctx  context.Context
		err  error
		want outcome.Outcome
	}{
		{"nil", live, nil, outcome.Success},
		{"nil, after the caller left", cancelled, nil, outcome.Success},
		{"any error", live, errDown, outcome.Failure},
		{"what isFailure lets pass", live, fmt.Errorf("user 7: %w", harmless), outcome.Success},
		{"ignored", live, outcome.Ignore(errDown), outcome.Ignored},
		{"ignored, wrapped", live, fmt.Errorf("call: %w", outcome.Ignore(context.DeadlineExceeded)), outcome.Ignored},
		{"dropped, though it is no failure", live, fmt.Errorf("call: %w", outcome.Drop(harmless)), outcome.Failure},
		{"dropped, a refusal", live, outcome.Drop(refusal{errDown, true}), outcome.Failure},
		{"dropped, then ignored", live, outcome.Ignore(outcome.Drop(errDown)), outcome.Ignored},
		{"ignored, then dropped", live, outcome.Drop(outcome.Ignore(errDown)), outcome.Failure},
		{"a refusal inside", live, fmt.Errorf("call: %w", refusal{errDown, true}), outcome.Ignored},
		{"a refusal that is a deadline too", late, refusal{context.DeadlineExceeded, true}, outcome.Ignored},
		{"an error that says it is no refusal", live, refusal{errDown, false}, outcome.Failure},
		{"a deadline that somebody set", live, context.DeadlineExceeded, outcome.Failure},
		{"a deadline after the caller left", cancelled, context.DeadlineExceeded, outcome.Failure},
		{"the caller's own cancellation", cancelled, fmt.Errorf("get: %w", context.Canceled), outcome.Ignored},
		{"somebody else's cancellation", live, context.Canceled, outcome.Failure},
		{"another error after a cancellation", cancelled, errDown, outcome.Failure},
		{"a cancellation caused by a deadline", detached, context.Canceled, outcome.Failure},
		{"a cancellation that a deadline with another cause brought", late, context.Canceled, outcome.Failure},
	} {
		got := outcome.Of(tt.ctx, tt.err, func(err error) bool { return !errors.Is(err, harmless) })
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	if outcome.Of(live, harmless, nil) != outcome.Failure {
		t.Error("without isFailure an error is no failure")
	}
}

func TestAMarkKeepsTheErrorAndNil(t *testing.T) {
	for name, mark := range map[string]func(error) error{"Ignore": outcome.Ignore, "Drop": outcome.Drop} {
		if mark(nil) != nil {
			t.Errorf("%s(nil) is an error", name)
		}
		err := mark(fmt.Errorf("call: %w", errDown))
		if !errors.Is(err, errDown) || err.Error() != "call: down" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
