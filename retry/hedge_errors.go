package retry

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// ErrGoexit is in the error that is returned when an attempt of [Hedge] ended its goroutine by runtime.Goexit, as t.FailNow
// does: there is no answer, and a zero value would look like one. No retry can help, so policies around stop at it too.
var ErrGoexit = Permanent(errors.New("joist/retry: the attempt ended its goroutine by runtime.Goexit"))

// errDecided is the context.Cause of attempts that Hedge waits for no longer. It is a Canceled, so that blocks inside which
// are given it for an error take it for what it is.
var errDecided = fmt.Errorf("joist/retry: the call was decided without this attempt: %w", context.Canceled)

// PanicError is what [Hedge] panics with when one of its attempts has panicked: an attempt has a goroutine of its own,
// whose stack would be lost otherwise.
type PanicError struct {
	Value any    // what the attempt panicked with
	Stack []byte // the attempt's stack at the panic, as debug.Stack formats it
}

// newPanicError must be called while the panic's frames are on the stack. A panic that comes out of another Hedge keeps
// the stack that it has.
func newPanicError(value any) *PanicError {
	if e, ok := value.(*PanicError); ok {
		return e
	}
	return &PanicError{Value: value, Stack: debug.Stack()}
}

// Error returns the value and, on the lines that follow, the stack, so that a crash shows where it began.
func (e *PanicError) Error() string {
	return fmt.Sprintf("joist/retry: the attempt panicked: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap returns Value if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Refused returns false, also when Value is a refusal: the attempt was made.
func (e *PanicError) Refused() bool { return false }

// RetryAfter returns 0: a panic has no hint, whatever Value says.
func (e *PanicError) RetryAfter() time.Duration { return 0 }
