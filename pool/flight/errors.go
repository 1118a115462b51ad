package flight

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// ErrClosed is what [errors.Is] finds in the [*ClosedError] of a call that a closed group refused. It is also the
// [context.Cause] of loads that Close cancelled.
var ErrClosed = errors.New("joist/flight: group is closed")

// ErrGoexit is returned to those who waited for a load that ended with [runtime.Goexit], as t.FailNow does: there is
// no answer, and a zero value would look like one.
var ErrGoexit = errors.New("joist/flight: load ended with runtime.Goexit")

// ClosedError is returned when a call would start a load in a group that was closed. It is a refusal: the load was
// not started. errors.Is finds [ErrClosed] in it. It is read-only and shared.
type ClosedError struct {
	Name string // the group's Name
}

// Error names the group.
func (e *ClosedError) Error() string { return fmt.Sprintf("joist/flight: group %q is closed", e.Name) }

// Unwrap returns ErrClosed.
func (e *ClosedError) Unwrap() error { return ErrClosed }

// Refused returns true: the load was never started.
func (e *ClosedError) Refused() bool { return true }

// RetryAfter returns 0: a closed group does not open again.
func (e *ClosedError) RetryAfter() time.Duration { return 0 }

// TimeoutError is returned to those who wait for a load when the group's Timeout ends it, whether the load itself
// stops or not. If the load is quick to stop and returns a [context.DeadlineExceeded] in words of its own, [errors.As]
// finds the TimeoutError beside them. It is the [context.Cause] of the load's context too. errors.Is finds
// context.DeadlineExceeded in it. It is read-only and shared.
type TimeoutError struct {
	Name  string        // the group's Name
	After time.Duration // the group's Timeout
}

// Error names the group and its Timeout.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("joist/flight: load in %q took longer than %v", e.Name, e.After)
}

// Unwrap returns context.DeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// PanicError is a panic of a load. Calls that had joined the load get it as their error. The call that had started the
// load panics with it when the load ran on another goroutine; it panics with the original value when the load ran on
// its own. It is read-only and shared by all waiters.
type PanicError struct {
	Value any    // what the load panicked with
	Stack []byte // the load's stack at the panic, as debug.Stack formats it, without the line that names the goroutine
}

// Error returns the value and, on the lines that follow, the stack, so that a crash shows where it began.
func (e *PanicError) Error() string {
	return fmt.Sprintf("joist/flight: load panicked: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap returns Value if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Refused returns false, also when Value is a refusal: the load was made.
func (e *PanicError) Refused() bool { return false }

// RetryAfter returns 0: a panic has no hint, whatever Value says.
func (e *PanicError) RetryAfter() time.Duration { return 0 }

// newPanicError must be called while the panic's frames are on the stack. A panic that comes out of another flight
// keeps the stack that it has.
func newPanicError(value any) *PanicError {
	if e, ok := value.(*PanicError); ok {
		return e
	}
	stack := debug.Stack()
	if _, rest, ok := bytes.Cut(stack, []byte{'\n'}); ok {
		stack = rest
	}
	return &PanicError{Value: value, Stack: stack}
}
