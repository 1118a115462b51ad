package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

type hinting struct{ refused bool }

func (hinting) Error() string             { return "busy" }
func (hinting) RetryAfter() time.Duration { return time.Second }
func (h hinting) Refused() bool           { return h.refused }

func TestOutcomesAreJudgedAsDocumented(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	detached, detach := context.WithCancelCause(context.Background())
	detach(fmt.Errorf("the load took too long: %w", context.DeadlineExceeded))
	boom := errors.New("boom")
	for _, tt := range []struct {
		name string
		ctx  context.Context
		err  error
		want Outcome
	}{
		{"nil", context.Background(), nil, Success},
		{"any error", context.Background(), boom, Ignore},
		{"a refusal inside", context.Background(), fmt.Errorf("call: %w", hinting{true}), Ignore},
		{"a refusal that is a deadline too", context.Background(), &FullError{Reason: ReasonDeadline}, Ignore},
		{"a dependency that asks for a pause", context.Background(), fmt.Errorf("call: %w", hinting{false}), Drop},
		{"a deadline", context.Background(), fmt.Errorf("call: %w", context.DeadlineExceeded), Drop},
		{"a time-out of the network", context.Background(), fmt.Errorf("read: %w", os.ErrDeadlineExceeded), Drop},
		{"the caller's own cancellation", cancelled, fmt.Errorf("call: %w", context.Canceled), Ignore},
		{"a cancellation caused by a deadline", detached, context.Canceled, Drop},
		{"somebody else's cancellation", context.Background(), context.Canceled, Ignore},
		{"marked as a drop", context.Background(), fmt.Errorf("call: %w", MarkDrop(boom)), Drop},
		{"a deadline marked to be ignored", context.Background(), MarkIgnore(context.DeadlineExceeded), Ignore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := new(Bulkhead).judge(tt.ctx, tt.err); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestClassifyDecidesAboutErrorsThatNoRuleKnows(t *testing.T) {
	boom := errors.New("boom")
	b := &Bulkhead{classify: func(err error) Outcome {
		if err != boom {
			t.Errorf("asked about %v", err)
		}
		return Drop
	}}
	for err, want := range map[error]Outcome{nil: Success, boom: Drop, MarkIgnore(boom): Ignore, context.DeadlineExceeded: Drop} {
		if got := b.judge(context.Background(), err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}

func TestAMarkKeepsTheError(t *testing.T) {
	if MarkDrop(nil) != nil || MarkIgnore(nil) != nil {
		t.Error("a mark of nil is an error")
	}
	boom := errors.New("boom")
	if err := MarkDrop(fmt.Errorf("call: %w", boom)); !errors.Is(err, boom) || err.Error() != "call: boom" {
		t.Errorf("%v", err)
	}
}
