package batch

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/joist-go/joist/internal/refusal"
)

var (
	// ErrFull is returned, inside a [*FullError], when MaxPending calls are waiting.
	ErrFull = errors.New("joist/batch: full")
	// ErrClosed is returned, inside a [*ClosedError], by calls after [Batcher.Close]. It is also the context.Cause of the
	// batches that Close cancels.
	ErrClosed = errors.New("joist/batch: closed")
	// ErrMissing is returned, inside a [*MissingError], when Run has no answer for a key.
	ErrMissing = errors.New("joist/batch: no answer for the key")
	// ErrGoexit is returned when Run ended its goroutine by runtime.Goexit, as t.FailNow does.
	ErrGoexit = errors.New("joist/batch: the batch ended its goroutine by runtime.Goexit")
)

// Errors gives keys of a batch errors of their own. Run returns it, wrapped or not, beside the values of the other keys; a
// nil error in it is none. [Batcher.GetMany] returns it for the keys that failed.
type Errors[K comparable] map[K]error //nolint:errname // of keys: batch.Errors

// Error tells how many keys failed, and the error of one of them; it names no key.
func (e Errors[K]) Error() string {
	failed := 0
	var sample error
	for _, err := range e {
		if err != nil {
			failed++
			sample = err
		}
	}
	return fmt.Sprintf("joist/batch: %d keys failed, one of them with: %v", failed, sample)
}

// Unwrap returns the errors of all keys, in no order.
func (e Errors[K]) Unwrap() []error {
	all := make([]error, 0, len(e))
	for _, err := range e {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// Refused tells whether no key was asked for: each that failed was refused.
func (e Errors[K]) Refused() bool {
	failed := e.Unwrap()
	return len(failed) > 0 && !slices.ContainsFunc(failed, func(err error) bool { return !refusal.Refused(err) })
}

// RetryAfter returns the longest hint of a key's error, 0 if none has one.
func (e Errors[K]) RetryAfter() (longest time.Duration) {
	for _, err := range e {
		after, _ := refusal.RetryAfter(err)
		longest = max(longest, after)
	}
	return longest
}

// partialError is what a call gets of which a part was made: it is no refusal, whatever became of the rest.
type partialError[K comparable] struct{ Errors[K] }

// Unwrap returns the Errors.
func (e *partialError[K]) Unwrap() error { return e.Errors }

// Refused returns false: to try the call again repeats what was made.
func (e *partialError[K]) Refused() bool { return false }

// MissingError is returned when Run returned neither a value nor an error for a key. errors.Is finds [ErrMissing] in it.
type MissingError struct {
	Name string // the batcher's Name
}

// Error names the batcher.
func (e *MissingError) Error() string {
	return fmt.Sprintf("joist/batch: %q has no answer for the key", e.Name)
}

// Unwrap returns ErrMissing.
func (e *MissingError) Unwrap() error { return ErrMissing }

// FullError is returned when MaxPending calls are waiting. It is a refusal: the call joined no batch. errors.Is finds
// [ErrFull] in it.
type FullError struct {
	Name    string        // the batcher's Name
	Pending int           // calls that were waiting
	Wait    time.Duration // what RetryAfter answers: how long a batch typically runs, 0 if none has yet
}

// Error names the batcher and how many calls wait.
func (e *FullError) Error() string {
	return fmt.Sprintf("joist/batch: %q is full: %d calls are waiting", e.Name, e.Pending)
}

// Unwrap returns ErrFull.
func (e *FullError) Unwrap() error { return ErrFull }

// Refused returns true: the call joined no batch.
func (e *FullError) Refused() bool { return true }

// RetryAfter returns Wait.
func (e *FullError) RetryAfter() time.Duration { return e.Wait }

// ClosedError is returned by calls after [Batcher.Close]. It is a refusal. errors.Is finds [ErrClosed] in it. It is
// read-only and shared.
type ClosedError struct {
	Name string // the batcher's Name
}

// Error names the batcher.
func (e *ClosedError) Error() string { return fmt.Sprintf("joist/batch: %q is closed", e.Name) }

// Unwrap returns ErrClosed.
func (e *ClosedError) Unwrap() error { return ErrClosed }

// Refused returns true: the call joined no batch.
func (e *ClosedError) Refused() bool { return true }

// RetryAfter returns 0: a closed batcher does not open again.
func (e *ClosedError) RetryAfter() time.Duration { return 0 }

// PanicError is returned to all who wait for a batch whose Run panicked. It is read-only and shared.
type PanicError struct {
	Value any    // what Run panicked with
	Stack []byte // its stack at the panic, as debug.Stack formats it
}

// Error returns the value and, on the lines that follow, the stack, so that a crash shows where it began.
func (e *PanicError) Error() string {
	return fmt.Sprintf("joist/batch: the batch panicked: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap returns Value if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Refused returns false, also when Value is a refusal: the batch was run.
func (e *PanicError) Refused() bool { return false }

// RetryAfter returns 0, also when Value has a hint: it was meant for Run, which did not take it.
func (e *PanicError) RetryAfter() time.Duration { return 0 }
