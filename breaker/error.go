package breaker

import (
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/internal/clock"
)

// ErrOpen is what every refusal of a breaker is, by errors.Is. It is returned, inside a [*OpenError], when the breaker
// is open, or half-open with all its probes out, or has closed and lets only a share of the calls through.
var ErrOpen = errors.New("joist/breaker: open")

// OpenError is returned, as a pointer, when a breaker refuses a call. The call was not made. All refusals of one opening,
// or of one ramp, share one OpenError, so that refusing allocates nothing: do not change it.
type OpenError struct {
	// Name is the breaker's.
	Name string
	// State is Open, or HalfOpen when all probes were out, or Closed when the call was not in the share that a ramp lets
	// through (see [Options].Ramp).
	State State
	// Forced is true when the breaker refuses because its mode is [ForcedOpen].
	Forced bool
	// Wait is how long the breaker stays open from the moment that it opened. With State HalfOpen it is a guess of how
	// long the probes take: OpenFor or ProbeTimeout, whichever is less. With State Closed it is a tenth of Ramp, after
	// which the share has grown by a tenth. When Forced it is OpenFor, for want of anything better.
	Wait time.Duration
	// FailureRatio is what opened the breaker, from 0 to 1; with State Closed, that of the probes which closed it. 0 when
	// a mode did either.
	FailureRatio float64

	// SlowRatio is the share of slow calls then, likewise; see [Options].SlowCall.
	SlowRatio float64

	clock *clock.Clock // nil if there is no until
	until int64        // clock reading at which the breaker goes half-open, or the ramp ends
}

// Error names the breaker, its state, and the time that is left.
func (e *OpenError) Error() string {
	switch {
	case e.Forced:
		return fmt.Sprintf("joist/breaker: %q is forced open", e.Name)
	case e.State == HalfOpen:
		return fmt.Sprintf("joist/breaker: %q is half-open and all its probes are out", e.Name)
	case e.State == Closed:
		return fmt.Sprintf("joist/breaker: %q has just closed and does not let all calls through yet", e.Name)
	}
	ratios := fmt.Sprintf("failure ratio %.2f", e.FailureRatio)
	if e.SlowRatio > 0 {
		ratios += fmt.Sprintf(", slow ratio %.2f", e.SlowRatio)
	}
	return fmt.Sprintf("joist/breaker: %q is open for another %v (%s)", e.Name, e.RetryAfter(), ratios)
}

// Unwrap returns [ErrOpen].
func (e *OpenError) Unwrap() error { return ErrOpen }

// Refused is true: the call was never made.
func (e *OpenError) Refused() bool { return true }

// RetryAfter returns how long it is, from now on, until the breaker lets probes through: the time left of Wait, or 0 when
// none is left. During a ramp it is Wait, or what is left of the ramp if that is less. An OpenError of a half-open or forced
// breaker, or one that you made, answers Wait.
func (e *OpenError) RetryAfter() time.Duration {
	if e.clock == nil {
		return e.Wait
	}
	return min(max(time.Duration(e.until-e.clock.Now()), 0), e.Wait)
}
