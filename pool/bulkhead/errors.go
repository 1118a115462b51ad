package bulkhead

import (
	"errors"
	"fmt"
	"time"
)

// ErrFull is returned, inside a [*FullError], when all slots of a bulkhead are taken.
var ErrFull = errors.New("joist/bulkhead: full")

// FullError is returned when all slots of a bulkhead are taken: the call was not made. errors.Is(err, [ErrFull]) holds
// for it.
type FullError struct {
	// Name is the bulkhead's Name.
	Name string
	// Limit is how many calls may be in flight.
	Limit int
	// InFlight is how many calls were.
	InFlight int
	// Wait is what RetryAfter answers: the typical time of a call, 0 when none has been measured yet.
	Wait time.Duration
}

// Error names the bulkhead and its load.
func (e *FullError) Error() string {
	return fmt.Sprintf("joist/bulkhead: %q is full: %d of %d calls in flight", e.Name, e.InFlight, e.Limit)
}

// Unwrap returns [ErrFull].
func (e *FullError) Unwrap() error { return ErrFull }

// Refused returns true: the call was never made, so another try repeats nothing.
func (e *FullError) Refused() bool { return true }

// RetryAfter returns the typical time of a call, after which the slots have changed hands, or 0 for no hint.
func (e *FullError) RetryAfter() time.Duration { return e.Wait }
