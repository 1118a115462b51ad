package throttle

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/joist-go/joist/internal/clock"
)

// ErrThrottled is what every refusal of a throttle is, by errors.Is. It is returned, inside a [*ThrottledError], when a
// drawing goes against a call because the dependency has accepted too few of late.
var ErrThrottled = errors.New("joist/throttle: throttled")

// ThrottledError is returned, as a pointer, when a throttle refuses a call. The call was not made. Refusals of about the
// same probability share one ThrottledError, so that refusing allocates nothing: do not change it.
type ThrottledError struct {
	// Name is the throttle's.
	Name string
	// Probability is how probable it was that the call would be refused, above 0 and at most MaxReject, to within 0.01.
	Probability float64

	clock *clock.Clock // nil in an error that no throttle made
	until int64        // clock reading at which the window slides
}

// sameProbability is how far the probabilities of two refusals that share their error may differ.
const sameProbability = 0.01

// refuse returns the error for a refusal with probability p in a step that ends at until. It is the latest one, if that
// still fits.
func (t *Throttle) refuse(p float64, until int64) *ThrottledError {
	latest := t.refusal.Load()
	if latest != nil && latest.until == until && math.Abs(latest.Probability-p) < sameProbability {
		return latest
	}
	e := &ThrottledError{Name: t.name, Probability: p, clock: &t.clock, until: until}
	t.refusal.Store(e)
	return e
}

// Error names the throttle and the probability.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("joist/throttle: %q throttles %.0f %% of the calls: too few were accepted", e.Name, 100*e.Probability)
}

// Unwrap returns [ErrThrottled].
func (e *ThrottledError) Unwrap() error { return ErrThrottled }

// Refused is true: the call was never made.
func (e *ThrottledError) Refused() bool { return true }

// RetryAfter returns how long it is, from now on, until the window slides and its oldest tenth leaves it: earlier, the
// probability falls only if other calls are accepted. Then it may fall; a call may still be refused. It is 0, no hint, if
// that time has come, and for a ThrottledError that you made.
func (e *ThrottledError) RetryAfter() time.Duration {
	if e.clock == nil {
		return 0
	}
	return max(time.Duration(e.until-e.clock.Now()), 0)
}
