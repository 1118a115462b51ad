package retry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/internal/refusal"
)

// What errors.Is finds in an [Error] besides the last error of the work. For ReasonDeadline that is
// context.DeadlineExceeded, for ReasonCancelled context.Canceled.
var (
	// ErrExhausted is in the error that is returned when the last of MaxAttempts has failed.
	ErrExhausted = errors.New("joist/retry: attempts exhausted")

	// ErrBudget is in the error that is returned when another attempt was due and the Budget had nothing left. It comes at
	// once, with no wait: whoever calls in a loop must pause by himself, for the budget never refuses a first attempt.
	ErrBudget = errors.New("joist/retry: retry budget spent")
)

// Reason is why a policy stopped without success.
type Reason uint8

// The reasons of an [Error].
const (
	ReasonExhausted Reason = iota + 1 // MaxAttempts were made
	ReasonPermanent                   // no retry can help: Permanent, not Retryable, or a hint above MaxHint
	ReasonBudget                      // the Budget had nothing left
	ReasonDeadline                    // the deadline of ctx has passed, or another attempt does not fit before it
	ReasonCancelled                   // ctx was cancelled
)

// String returns the reason as the attribute joist.retry.outcome has it.
func (r Reason) String() string {
	switch r {
	case ReasonExhausted:
		return "exhausted"
	case ReasonPermanent:
		return "permanent"
	case ReasonBudget:
		return "budget"
	case ReasonDeadline:
		return "deadline"
	case ReasonCancelled:
		return "cancelled"
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// MaxHistory is the greatest length of [Error].History.
const MaxHistory = 8

// Error is returned when a policy stops: after several attempts always, and after the first one when another attempt
// was due but did not go out. A first attempt that needs no retry by its own error, or under MaxAttempts 1, is returned
// as the work gave it.
//
// errors.Is and errors.As find Last and the reason's error: ErrExhausted, ErrBudget, context.DeadlineExceeded or
// context.Canceled. They do not look into History: an old attempt's hint must not pass for the last one's.
type Error struct {
	Policy   string        // Name of the policy
	Attempts int           // attempts that were made, at least 1
	Waited   time.Duration // time spent waiting between attempts
	Reason   Reason        // why it stopped
	Last     error         // of the last attempt, as the work gave it
	History  []error       // of the last MaxHistory attempts, oldest first; its last entry is Last

	refused bool
}

// Error returns the policy, the number of attempts, the reason, and the text of Last.
func (e *Error) Error() string {
	plural := "s"
	if e.Attempts == 1 {
		plural = ""
	}
	return fmt.Sprintf("joist/retry: %q stopped after %d attempt%s (%v): %v", e.Policy, e.Attempts, plural, e.Reason, e.Last)
}

// Unwrap returns Last and the reason's error.
func (e *Error) Unwrap() []error {
	var reason error
	switch e.Reason {
	case ReasonExhausted:
		reason = ErrExhausted
	case ReasonBudget:
		reason = ErrBudget
	case ReasonDeadline:
		reason = context.DeadlineExceeded
	case ReasonCancelled:
		reason = context.Canceled
	case ReasonPermanent:
	}
	tree := make([]error, 0, 2)
	if e.Last != nil {
		tree = append(tree, e.Last)
	}
	if reason != nil {
		tree = append(tree, reason)
	}
	return tree
}

// RetryAfter returns what Last asks to wait before another try, 0 if it does not say.
func (e *Error) RetryAfter() time.Duration {
	after, _ := refusal.RetryAfter(e.Last)
	return after
}

// Retryable tells whether Last is an error that another try may help: false if it is marked Permanent.
func (e *Error) Retryable() bool { return retryable(e.Last) }

// Timeout tells whether a deadline ended the call, that of its ctx or one that Last tells of, as net.Error does.
func (e *Error) Timeout() bool {
	return e.Reason == ReasonDeadline || timedOut(e.Last)
}

// timedOut returns what the outermost error in err's tree with a method Timeout() bool says, false if none has it.
func timedOut(err error) bool {
	late, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && late.Timeout()
}

// Refused tells whether no attempt reached the dependency: every one was refused by a block inside the policy.
func (e *Error) Refused() bool { return e.refused }
