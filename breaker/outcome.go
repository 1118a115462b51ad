package breaker

import (
	"context"
	"errors"

	"github.com/joist-go/joist/internal/refusal"
)

// outcome is what a call says about its dependency.
type outcome uint8

const (
	success outcome = iota
	failure
	ignored
)

// Ignore marks err so that a breaker takes the call for neither a success nor a failure. It returns nil for nil. The
// mark holds through wrapping, and errors.Is and errors.As see err through it.
func Ignore(err error) error {
	if err == nil {
		return nil
	}
	return &ignoredError{err}
}

type ignoredError struct{ error }

func (e *ignoredError) Unwrap() error { return e.error }

// classify judges an error that a call with ctx returned. A refusal is asked for before the context's errors: it may be
// both, and says more.
func (s *settings) classify(ctx context.Context, err error) outcome {
	if _, marked := errors.AsType[*ignoredError](err); marked || refusal.Refused(err) {
		return ignored
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return failure
	}
	if errors.Is(err, context.Canceled) {
		if ended := ctx.Err(); ended != nil {
			if errors.Is(ended, context.DeadlineExceeded) || errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				return failure
			}
			return ignored
		}
	}
	if s.isFailure != nil && !s.isFailure(err) {
		return success
	}
	return failure
}
