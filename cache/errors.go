package cache

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNotFound is what a load returns, wrapped or not, when its source has no value for the key. It is returned by Get
	// for as long as that answer is kept (NotFoundTTL).
	ErrNotFound = errors.New("joist/cache: not found")

	// ErrBackoff is in every *BackoffError: it is returned when the key's last load failed so recently that it is not
	// loaded again yet.
	ErrBackoff = errors.New("joist/cache: backing off after a failed load")

	// ErrClosed is in every *ClosedError: it is returned by whatever needs a load, and by writes, after Close.
	ErrClosed = errors.New("joist/cache: closed")

	// errPanicked stands for a panic or runtime.Goexit of a load in what later callers are told.
	errPanicked = errors.New("joist/cache: the load panicked or exited")
)

// BackoffError is returned when a key has no usable value, its last load failed, and it is too early to load it again.
// It is a refusal: no load was made for this call. errors.Is(err, ErrBackoff) holds, and errors.Is and errors.As also
// reach the error of the load that failed.
type BackoffError struct {
	// Name is the Name of the cache.
	Name string
	// Err is the error of the last load.
	Err error
	// After is the time from the refusal to the next possible load.
	After time.Duration
}

// Error tells the cache's name, the wait and the load's error.
func (e *BackoffError) Error() string {
	return fmt.Sprintf("joist/cache: %q is backing off after a failed load, retry after %v: %v", e.Name, e.After, e.Err)
}

// Unwrap returns ErrBackoff and the load's error.
func (e *BackoffError) Unwrap() []error { return []error{ErrBackoff, e.Err} }

// Refused returns true: no load was made.
func (e *BackoffError) Refused() bool { return true }

// RetryAfter returns After.
func (e *BackoffError) RetryAfter() time.Duration { return e.After }

// ClosedError is returned after Close when a call needs a load, and by Set, Delete and Refresh. It is a refusal:
// nothing was loaded or changed. errors.Is(err, ErrClosed) holds.
type ClosedError struct {
	// Name is the Name of the cache.
	Name string
}

// Error tells the cache's name.
func (e *ClosedError) Error() string { return fmt.Sprintf("joist/cache: %q is closed", e.Name) }

// Unwrap returns ErrClosed.
func (e *ClosedError) Unwrap() error { return ErrClosed }

// Refused returns true: nothing was done.
func (e *ClosedError) Refused() bool { return true }

// RetryAfter returns 0: a closed cache does not open again.
func (e *ClosedError) RetryAfter() time.Duration { return 0 }
