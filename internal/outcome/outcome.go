// Package outcome is how blocks that watch a dependency judge what a call returned, so that all of them judge alike and
// a mark for one is a mark for all.
package outcome

import (
	"context"
	"errors"

	"github.com/joist-go/joist/internal/refusal"
)

// Outcome is what a call says about its dependency.
type Outcome uint8

// The outcomes. Success is the zero Outcome.
const (
	Success Outcome = iota
	Failure
	Ignored // says nothing about the dependency
)

// Of judges err, which a call with ctx returned:
//
//   - nil is a success;
//   - an error marked with [Ignore] is ignored, and one marked with [Drop] is a failure. Of several marks the outermost
//     counts;
//   - a refusal of a block inside is ignored. It is asked for before the context's errors: a refusal may be both, and says
//     more;
//   - context.DeadlineExceeded is a failure, whoever set the deadline: a dependency that hangs must show;
//   - context.Canceled is ignored when ctx has ended, for then it was the caller who left, unless ctx ended by a deadline
//     or with one as its cause: that is a failure;
//   - every other error is a failure unless isFailure says that it is none. nil: it is one.
func Of(ctx context.Context, err error, isFailure func(error) bool) Outcome {
	if err == nil {
		return Success
	}
	if m, marked := errors.AsType[*markedError](err); marked {
		return m.as
	}
	if refusal.Refused(err) {
		return Ignored
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Failure
	}
	if errors.Is(err, context.Canceled) {
		if ended := ctx.Err(); ended != nil {
			if errors.Is(ended, context.DeadlineExceeded) || errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				return Failure
			}
			return Ignored
		}
	}
	if isFailure != nil && !isFailure(err) {
		return Success
	}
	return Failure
}

// Ignore marks err as ignored. It returns nil for nil. The mark holds through wrapping, and errors.Is and errors.As see
// err through it.
func Ignore(err error) error { return mark(err, Ignored) }

// Drop marks err as a sign of overload, which is a failure to blocks that know no more of it. It returns nil for nil. The
// mark holds as that of Ignore.
func Drop(err error) error { return mark(err, Failure) }

func mark(err error, as Outcome) error {
	if err == nil {
		return nil
	}
	return &markedError{err, as}
}

type markedError struct {
	error

	as Outcome
}

func (e *markedError) Unwrap() error { return e.error }
