package retry

import (
	"errors"
	"time"
)

// Permanent marks err as one that no retry can help: a policy stops at it. The result is err in all other ways: it has
// its text, and errors.Is and errors.As find what they find in err. Permanent(nil) is nil.
//
// A type of one's own says the same with a method Retryable() bool that returns false.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Retryable tells policies to stop.
func (e *permanentError) Retryable() bool { return false }

// After marks err with the least time to wait before another attempt: the policy waits at least d, or stops if d is
// above its MaxHint or past the deadline. A d of 0 or less is no hint, and hides one that err has. The result is err in
// all other ways. After(nil, d) is nil.
//
// A type of one's own says the same with a method RetryAfter() time.Duration, as the refusals of all blocks do.
func After(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &afterError{err, d}
}

type afterError struct {
	err   error
	after time.Duration
}

func (e *afterError) Error() string { return e.err.Error() }
func (e *afterError) Unwrap() error { return e.err }

// RetryAfter returns the least time to wait.
func (e *afterError) RetryAfter() time.Duration { return e.after }

// retryable returns what the outermost error in err's tree with a method Retryable() bool says, true if none has it.
func retryable(err error) bool {
	r, ok := errors.AsType[interface {
		error
		Retryable() bool
	}](err)
	return !ok || r.Retryable()
}
