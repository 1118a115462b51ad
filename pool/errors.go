package pool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrFull is returned, inside a [*FullError], when a task finds no place in a pool.
	ErrFull = errors.New("joist/pool: full")
	// ErrClosed is returned, inside a [*ClosedError], when a task comes after [Pool.Close] or was not run because of
	// it. It is also the cause of the context of tasks that Close cancels.
	ErrClosed = errors.New("joist/pool: closed")
	// ErrNilTask is returned when the function of a task is nil.
	ErrNilTask = errors.New("joist/pool: the task is a nil function")
	// ErrGoexit is returned by [Future.Wait] when the task ended its goroutine by runtime.Goexit, as t.FailNow does.
	ErrGoexit = errors.New("joist/pool: the task ended its goroutine by runtime.Goexit")
)

// FullError is returned when all workers are busy and the queue is full: at once with [Reject], at the deadline of the
// context with [Block]. The task will not run. errors.Is(err, [ErrFull]) holds for it, and with Block also
// errors.Is(err, context.DeadlineExceeded).
type FullError struct {
	// Name is the pool's Name.
	Name string
	// Workers is how many tasks may run at once, and Queue how many more may wait.
	Workers, Queue int
	// Wait is what RetryAfter answers: the time in which the workers typically get through a full queue, 0 when no
	// task has been measured yet.
	Wait time.Duration
	// Cause is context.DeadlineExceeded when the wait for a place ended so, nil when there was none.
	Cause error
}

// Error names the pool and its size.
func (e *FullError) Error() string {
	text := fmt.Sprintf("joist/pool: %q is full: %d workers, queue of %d", e.Name, e.Workers, e.Queue)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns [ErrFull], and Cause if there is one.
func (e *FullError) Unwrap() []error {
	if e.Cause == nil {
		return []error{ErrFull}
	}
	return []error{ErrFull, e.Cause}
}

// Refused returns true: the task was not run and will not be.
func (e *FullError) Refused() bool { return true }

// RetryAfter returns the time in which the workers typically get through a full queue, or 0 for no hint.
func (e *FullError) RetryAfter() time.Duration { return e.Wait }

// ClosedError is returned when a task comes after [Pool.Close], and by [Future.Wait] for a task that Close left unrun.
// errors.Is(err, [ErrClosed]) holds for it.
type ClosedError struct {
	// Name is the pool's Name.
	Name string
}

// Error names the pool.
func (e *ClosedError) Error() string { return fmt.Sprintf("joist/pool: %q is closed", e.Name) }

// Unwrap returns [ErrClosed].
func (e *ClosedError) Unwrap() error { return ErrClosed }

// Refused returns true: the task was not run and will not be.
func (e *ClosedError) Refused() bool { return true }

// RetryAfter returns 0: a closed pool stays closed.
func (e *ClosedError) RetryAfter() time.Duration { return 0 }

// PanicError is returned by [Future.Wait] when the task panicked, and raised by [Map], [ForEach] and [MapSeq]. One that a
// Map raises inside a task is that of the task too.
type PanicError struct {
	// Value is what the task panicked with.
	Value any
	// Stack is the stack of the task's goroutine at the panic, as runtime/debug.Stack formats it.
	Stack []byte
}

// newPanicError returns the error of a panic. What a Map inside of the task has raised stays as it is: its stack is the one
// to look at.
func newPanicError(value any, stack []byte) *PanicError {
	if e, ok := value.(*PanicError); ok {
		return e
	}
	return &PanicError{Value: value, Stack: stack}
}

// Error tells the value of the panic and, on the lines that follow, the stack, so that a crash shows where it began.
func (e *PanicError) Error() string {
	return fmt.Sprintf("joist/pool: the task panicked: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap returns Value if it is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Refused returns false, also when Value is a refusal: the task was run.
func (e *PanicError) Refused() bool { return false }

// RetryAfter returns 0, also when Value has a hint: it was meant for the task, which did not take it.
func (e *PanicError) RetryAfter() time.Duration { return 0 }

// CloseError is returned by [Pool.Close] when its context ended before all tasks had.
type CloseError struct {
	// Name is the pool's Name.
	Name string
	// NotRun holds the functions of the tasks of Go that were accepted and have not been run, in the order of the
	// queue; small tasks that workers had taken at once may be out of line. They are handed out once. Tasks of Submit
	// are not among them: their Futures fail with [ErrClosed].
	NotRun []func(context.Context)
	// Dropped is how many tasks have not been run: those in NotRun and those of Submit.
	Dropped int
	// Running is how many tasks were running. Their contexts have been cancelled.
	Running int
	// Cause is the error of Close's context.
	Cause error
}

// Error tells how much was left.
func (e *CloseError) Error() string {
	return fmt.Sprintf("joist/pool: %q is closed, but Close's context ended first: %d tasks not run, %d cancelled: %v",
		e.Name, e.Dropped, e.Running, e.Cause)
}

// Unwrap returns Cause.
func (e *CloseError) Unwrap() error { return e.Cause }
