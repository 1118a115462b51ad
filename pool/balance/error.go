package balance

import (
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/internal/clock"
)

// ErrNone is returned, inside a [*NoneError], when there is no endpoint to pick: there are none, or all are ejected,
// which happens only with MaxEjected 1 and PanicAt [Off].
var ErrNone = errors.New("joist/balance: no endpoint")

// NoneError is returned, as a pointer, when there is no endpoint to pick. The call was not made. errors.Is(err, [ErrNone])
// holds for it.
type NoneError struct {
	// Name is the balancer's.
	Name string
	// Endpoints is how many endpoints there are, all of them ejected.
	Endpoints int

	clock clock.Clock // of the balancer, if until is not 0
	until int64       // clock reading at which the first comes back
}

// Error names the balancer and says why there is no endpoint.
func (e *NoneError) Error() string {
	if e.Endpoints == 0 {
		return fmt.Sprintf("joist/balance: %q has no endpoints", e.Name)
	}
	return fmt.Sprintf("joist/balance: %q has no endpoint left: all %d are ejected", e.Name, e.Endpoints)
}

// Unwrap returns ErrNone.
func (e *NoneError) Unwrap() error { return ErrNone }

// Refused returns true: the call was not made.
func (e *NoneError) Refused() bool { return true }

// RetryAfter returns the time until the first endpoint comes back, counted from now; 0 if there are none or it is back.
func (e *NoneError) RetryAfter() time.Duration {
	if e.until == 0 {
		return 0
	}
	return max(time.Duration(e.until-e.clock.Now()), 0)
}

// elsewhereError is a refusal of a block inside, for one endpoint of several. It hides the refusal's hint, which is that
// endpoint's alone.
type elsewhereError struct{ error }

func (e *elsewhereError) Unwrap() error { return e.error }

// RetryAfter returns 0: another endpoint may be asked at once.
func (e *elsewhereError) RetryAfter() time.Duration { return 0 }
