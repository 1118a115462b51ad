package bulkhead

import (
	"context"
	"errors"

	"github.com/joist-go/joist/internal/outcome"
	"github.com/joist-go/joist/internal/refusal"
)

// Outcome is what a call says about the load of its dependency.
type Outcome uint8

const (
	// Succeeded: the call was done, and its time tells how loaded the dependency is.
	Succeeded Outcome = iota
	// Ignored: the call says nothing.
	Ignored
	// Dropped: the dependency has too much to do.
	Dropped
)

// Ignore marks err as that of a call that says nothing about its dependency, to a breaker as well. It returns nil for
// nil. The mark holds through wrapping, and errors.Is and errors.As see err through it.
func Ignore(err error) error { return outcome.Ignore(err) }

// Drop marks err as a sign of overload, which is a failure to a breaker and a balancer. It returns nil for nil. The mark
// holds through wrapping, and errors.Is and errors.As see err through it. Of this mark and that of Ignore the outermost
// counts.
func Drop(err error) error { return outcome.Drop(err) }

// judge returns what a call with ctx says that ended with err.
func (b *Bulkhead) judge(ctx context.Context, err error) Outcome {
	if err == nil {
		return Succeeded
	}
	open := false // whether the rules that all blocks share leave it open
	switch outcome.Of(ctx, err, func(error) bool { open = true; return true }) {
	case outcome.Success:
		return Succeeded
	case outcome.Ignored:
		return Ignored
	}
	switch {
	case !open:
		return Dropped // by a mark or a deadline
	case b.classify != nil:
		return b.classify(err)
	default:
		return OutcomeOf(err)
	}
}

// OutcomeOf is what [Options].Classify is when it is nil. An error that asks for a pause is Dropped (it has a method
// RetryAfter() time.Duration which returns more than 0, as the answers 429 and 503 with a Retry-After should), and so is
// a time-out (a method Timeout() bool which returns true, as those of package net have). Any other error is Ignored: how
// long a failure takes says nothing about a success. nil has Succeeded.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Succeeded
	}
	if _, asks := refusal.RetryAfter(err); asks {
		return Dropped
	}
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	if ok && timeout.Timeout() {
		return Dropped
	}
	return Ignored
}
