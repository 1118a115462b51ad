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
		{"nil", context.Background(), nil, Succeeded},
		{"any error", context.Background(), boom, Ignored},
		{"a refusal inside", context.Background(), fmt.Errorf("call: %w", hinting{true}), Ignored},
		{"a refusal that is a deadline too", context.Background(), &FullError{Reason: ReasonDeadline}, Ignored},
		{"a dependency that asks for a pause", context.Background(), fmt.Errorf("call: %w", hinting{false}), Dropped},
		{"a deadline", context.Background(), fmt.Errorf("call: %w", context.DeadlineExceeded), Dropped},
		{"a time-out of the network", context.Background(), fmt.Errorf("read: %w", os.ErrDeadlineExceeded), Dropped},
		{"the caller's own cancellation", cancelled, fmt.Errorf("call: %w", context.Canceled), Ignored},
		{"a cancellation caused by a deadline", detached, context.Canceled, Dropped},
		{"somebody else's cancellation", context.Background(), context.Canceled, Ignored},
		{"marked as a drop", context.Background(), fmt.Errorf("call: %w", Drop(boom)), Dropped},
		{"a refusal marked as a drop", context.Background(), Drop(hinting{true}), Dropped},
		{"a cancellation marked as a drop", cancelled, Drop(context.Canceled), Dropped},
		{"a drop marked to be ignored", context.Background(), Ignore(Drop(boom)), Ignored},
		{"a deadline marked to be ignored", context.Background(), Ignore(context.DeadlineExceeded), Ignored},
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
		return Dropped
	}}
	for err, want := range map[error]Outcome{nil: Succeeded, boom: Dropped, Ignore(boom): Ignored, context.DeadlineExceeded: Dropped} {
		if got := b.judge(context.Background(), err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}

func TestAMarkKeepsTheError(t *testing.T) {
	if Drop(nil) != nil || Ignore(nil) != nil {
		t.Error("a mark of nil is an error")
	}
	boom := errors.New("boom")
	if err := Drop(fmt.Errorf("call: %w", boom)); !errors.Is(err, boom) || err.Error() != "call: boom" {
		t.Errorf("%v", err)
	}
}
