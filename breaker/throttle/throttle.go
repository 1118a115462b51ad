package throttle

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/outcome"
	"github.com/joist-go/joist/internal/telemetry"
)

// Throttle refuses calls with a probability that follows how many of them the dependency accepts. It is made with [New]
// and safe for concurrent use. It owns no goroutine and no timer and needs no Close.
//
// A call that is let out without a drawing has looked at the counts as they were last turned, and not at the clock. So it
// may be let out on counts that have left the window, until the first call ends after that; but before any call is
// refused the window is turned, so that none is refused for what has left it.
type Throttle struct {
	name        string
	clock       clock.Clock
	k           float64
	minCalls    uint64
	maxReject   float64
	isRejection func(error) bool
	random      func() float64
	tally       *tally
	refusal     atomic.Pointer[ThrottledError] // the latest
}

// Do calls fn unless the throttle refuses, and returns what it returns. It returns ctx.Err() if ctx has ended before the
// call, which counts as nothing, and a [*ThrottledError] if the throttle refuses. A panic or runtime.Goexit in fn counts
// as rejected and goes on its way. Do itself never blocks and allocates nothing; fn is not kept.
func (t *Throttle) Do(ctx context.Context, fn func(context.Context) error) error {
	if err := t.admit(ctx); err != nil {
		return err
	}
	p := Permit{t: t, ctx: ctx}
	defer p.abandon()
	err := fn(ctx)
	p.Done(err)
	return err
}

// DoValue is [Throttle.Do] for a function that returns a value. The value is returned as fn gave it, with an error too;
// it is the zero value if the throttle refuses.
func DoValue[V any](ctx context.Context, t *Throttle, fn func(context.Context) (V, error)) (V, error) {
	if err := t.admit(ctx); err != nil {
		var zero V
		return zero, err
	}
	p := Permit{t: t, ctx: ctx}
	defer p.abandon()
	v, err := fn(ctx)
	p.Done(err)
	return v, err
}

// Allow returns a permit for one call, for work that does not fit into a function. Its Done must be called with the
// result. It returns ctx.Err() if ctx has ended, and a [*ThrottledError] if the throttle refuses; the permit then does
// nothing. ctx is what a cancelled call is judged by when it is done.
func (t *Throttle) Allow(ctx context.Context) (Permit, error) {
	if err := t.admit(ctx); err != nil {
		return Permit{}, err
	}
	return Permit{t: t, ctx: ctx}, nil
}

func (t *Throttle) admit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.probability(t.tally.sum()) == 0 {
		return nil
	}
	return t.draw(ctx)
}

// probability returns the reject probability for what is in the window.
func (t *Throttle) probability(c counts) float64 {
	requests := c.accepted + c.rejected + c.throttled
	excess := float64(requests) - t.k*float64(c.accepted)
	if excess <= 0 || requests < t.minCalls {
		return 0
	}
	return min(excess/float64(requests+1), t.maxReject)
}

// draw decides by lot about a call of which the counts say that it may be refused.
func (t *Throttle) draw(ctx context.Context) error {
	now := t.clock.Now()
	step := t.tally.at(now)
	p := t.probability(t.tally.sum())
	if p == 0 || t.random() >= p {
		return nil
	}
	t.tally.add(step, throttledUnit)
	if trace.SpanFromContext(ctx).IsRecording() {
		telemetry.Event(ctx, "joist.throttle.throttled", t.name)
	}
	return t.refuse(p, t.tally.steps.End(step))
}

// finish counts how a call went that was let out.
func (t *Throttle) finish(o outcome.Outcome) {
	switch o {
	case outcome.Success:
		t.tally.add(t.tally.at(t.clock.Now()), acceptedUnit)
	case outcome.Failure:
		t.tally.add(t.tally.at(t.clock.Now()), rejectedUnit)
	case outcome.Ignored:
		t.tally.ignored.Add(1)
	}
}

// Ignore marks err so that a throttle takes the call for neither accepted nor rejected. It returns nil for nil. The mark
// holds through wrapping, and errors.Is and errors.As see err through it. It is the mark of package breaker's Ignore, too.
func Ignore(err error) error { return outcome.Ignore(err) }
