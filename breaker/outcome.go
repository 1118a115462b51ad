package breaker

import (
	"context"

	judge "github.com/joist-go/joist/internal/outcome"
)

// outcome is what a call says about its dependency, in bits: whether it failed, and whether it was slow.
type outcome uint8

const (
	success outcome = 0
	failure outcome = 1
	slow    outcome = 2
	ignored outcome = 4 // alone

	outcomes = 4 // that a window counts: all but ignored
)

// Ignore marks err so that a breaker takes the call for neither a success nor a failure. It returns nil for nil. The
// mark holds through wrapping, and errors.Is and errors.As see err through it.
func Ignore(err error) error { return judge.Ignore(err) }

// classify judges an error that a call with ctx returned.
func (s *settings) classify(ctx context.Context, err error) outcome {
	switch judge.Of(ctx, err, s.isFailure) {
	case judge.Success:
		return success
	case judge.Failure:
		return failure
	default:
		return ignored
	}
}

// timed adds to an outcome whether the call was slow.
func (s *settings) timed(o outcome, began, ended int64) outcome {
	if s.slowCall > 0 && o != ignored && ended-began >= s.slowCall {
		o |= slow
	}
	return o
}
