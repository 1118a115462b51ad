package breaker

import (
	"context"

	judge "github.com/joist-go/joist/internal/outcome"
)

// outcome is what a call says about its dependency.
type outcome = judge.Outcome

const (
	success = judge.Success
	failure = judge.Failure
	ignored = judge.Ignored
)

// Ignore marks err so that a breaker takes the call for neither a success nor a failure. It returns nil for nil. The
// mark holds through wrapping, and errors.Is and errors.As see err through it.
func Ignore(err error) error { return judge.Ignore(err) }

// classify judges an error that a call with ctx returned.
func (s *settings) classify(ctx context.Context, err error) outcome {
	return judge.Of(ctx, err, s.isFailure)
}
