package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrFull is returned, inside a [*FullError], when a call got no slot.
var ErrFull = errors.New("joist/bulkhead: full")

// Reason says why a call got no slot.
type Reason uint8

const (
	_ Reason = iota
	// ReasonFull: all slots are taken, and all places in the queue if there is one.
	ReasonFull
	// ReasonWait: the call has waited for MaxWait.
	ReasonWait
	// ReasonShed: the queue is overloaded and the call has waited for longer than CoDelTarget, or it had to make room in
	// a full queue for one of more worth.
	ReasonShed
	// ReasonDeadline: the wait would have been too long for the context's deadline, or was.
	ReasonDeadline
)

// String returns a word for the reason: full, wait, shed or deadline.
func (r Reason) String() string {
	switch r {
	case ReasonFull:
		return "full"
	case ReasonWait:
		return "wait"
	case ReasonShed:
		return "shed"
	case ReasonDeadline:
		return "deadline"
	default:
		return fmt.Sprintf("Reason(%d)", uint8(r))
	}
}

// FullError is returned when a call got no slot: it was not made. errors.Is(err, [ErrFull]) holds for it, and for
// [ReasonDeadline] errors.Is(err, [context.DeadlineExceeded]) too.
type FullError struct {
	// Name is the bulkhead's Name.
	Name string
	// Limit is how many calls may be in flight.
	Limit int
	// InFlight is how many calls were.
	InFlight int
	// Queued is how many other calls were waiting.
	Queued int
	// Reason says what the call failed at.
	Reason Reason
	// Wait is what RetryAfter answers: the typical time of a call, longer by the queue's share of it, 0 when none has
	// been measured yet.
	Wait time.Duration
}

// Error names the bulkhead, its load and, but for ReasonFull, the reason.
func (e *FullError) Error() string {
	text := fmt.Sprintf("joist/bulkhead: %q is full: %d of %d calls in flight", e.Name, e.InFlight, e.Limit)
	if e.Queued > 0 {
		text += fmt.Sprintf(", %d queued", e.Queued)
	}
	switch e.Reason {
	case ReasonWait:
		text += "; waited for too long"
	case ReasonShed:
		text += "; shed from the queue"
	case ReasonDeadline:
		text += "; no slot before the deadline"
	}
	return text
}

var (
	plain    = []error{ErrFull}
	deadline = []error{ErrFull, context.DeadlineExceeded}
)

// Unwrap returns [ErrFull], and for ReasonDeadline [context.DeadlineExceeded] too.
func (e *FullError) Unwrap() []error {
	if e.Reason == ReasonDeadline {
		return deadline
	}
	return plain
}

// Refused returns true: the call was never made, so another try repeats nothing.
func (e *FullError) Refused() bool { return true }

// RetryAfter returns the time after which the slots, and the places before them in the queue, have typically changed
// hands, or 0 for no hint.
func (e *FullError) RetryAfter() time.Duration { return e.Wait }
