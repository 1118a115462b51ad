package bulkhead

import (
	"context"
	"errors"

	"github.com/joist-go/joist/internal/refusal"
)

// Outcome is what a call says about the load of its dependency.
type Outcome uint8

const (
	// Success: the call was done, and its time tells how loaded the dependency is.
	Success Outcome = iota
	// Ignore: the call says nothing.
	Ignore
	// Drop: the dependency has too much to do.
	Drop
)

// MarkIgnore marks err as that of a call that says nothing about load. It returns nil for nil. The mark holds through
// wrapping, and errors.Is and errors.As see err through it.
func MarkIgnore(err error) error { return mark(err, Ignore) }

// MarkDrop marks err as a sign of overload, as MarkIgnore does for the other.
func MarkDrop(err error) error { return mark(err, Drop) }

func mark(err error, o Outcome) error {
	if err == nil {
		return nil
	}
	return &markedError{err, o}
}

type markedError struct {
	error
	outcome Outcome
}

func (e *markedError) Unwrap() error { return e.error }

// judge returns what a call with ctx says that ended with err. A refusal is asked for before the context's errors: it
// may be both, and says more.
func (b *Bulkhead) judge(ctx context.Context, err error) Outcome {
	if err == nil {
		return Success
	}
	if m, ok := errors.AsType[*markedError](err); ok {
		return m.outcome
	}
	if refusal.Refused(err) {
		return Ignore
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Drop
	}
	if errors.Is(err, context.Canceled) {
		if ended := ctx.Err(); ended != nil {
			if errors.Is(ended, context.DeadlineExceeded) || errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				return Drop
			}
			return Ignore
		}
	}
	if b.classify != nil {
		return b.classify(err)
	}
	return OutcomeOf(err)
}

// OutcomeOf is what [Options].Classify is when it is nil. An error that asks for a pause is a Drop (it has a method
// RetryAfter() time.Duration which returns more than 0, as the answers 429 and 503 with a Retry-After should), and so is
// a time-out (a method Timeout() bool which returns true, as those of package net have). Any other error is ignored: how
// long a failure takes says nothing about a success. nil is a Success.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Success
	}
	if _, asks := refusal.RetryAfter(err); asks {
		return Drop
	}
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	if ok && timeout.Timeout() {
		return Drop
	}
	return Ignore
}
