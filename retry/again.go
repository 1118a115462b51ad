package retry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/attempt"
	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/internal/telemetry"
)

// call is a call whose first attempt has failed. It lives on the stack of the goroutine that makes the call.
type call struct {
	p        *Policy
	attempts int
	waited   time.Duration
	delay    time.Duration // the backoff's last one
	refused  bool          // every attempt so far was refused
	history  []error
}

// again takes over from Do when the first attempt has failed with err.
func (p *Policy) again(ctx context.Context, fn func(context.Context) error, err error) error {
	c := call{p: p, refused: true}
	for {
		c.attempts++
		c.refused = c.refused && refusal.Refused(err)
		wait, stop := c.decide(ctx, err)
		if stop == 0 && !p.budget.draw() {
			stop = ReasonBudget
		}
		if stop != 0 {
			return c.end(ctx, stop, err)
		}
		if over := c.sleep(ctx, wait); over != nil {
			p.budget.giveBack()
			return c.end(ctx, reasonOf(over), err)
		}
		c.remember(err)
		if p.onRetry != nil {
			p.onRetry(ctx, Event{Policy: p.name, Attempt: c.attempts + 1, Waited: wait, Err: err})
		}
		if err = p.retry(ctx, fn, c.attempts+1); err == nil {
			p.cell.Add(wordRecovered, 1)
			return nil
		}
	}
}

// decide returns how long to wait before the next attempt, or why there is none. The order matters: what is true of the
// error comes before what is true of the call, so that an error which no retry can help is never reported as a lack of
// attempts or time. A caller who has left is told so unless the error itself says that no retry can help.
func (c *call) decide(ctx context.Context, err error) (wait time.Duration, stop Reason) {
	p := c.p
	if !retryable(err) {
		return 0, ReasonPermanent
	}
	if over := ctx.Err(); over != nil {
		return 0, reasonOf(over)
	}
	if p.retryable != nil && !p.retryable(err) {
		return 0, ReasonPermanent
	}
	if p.maxAttempts > 0 && c.attempts >= p.maxAttempts {
		return 0, ReasonExhausted
	}
	c.delay = p.backoff.Delay(c.attempts, c.delay)
	wait = c.delay
	hint, hinted := refusal.RetryAfter(err)
	if hinted {
		wait = max(wait, hint)
	}
	if deadline, ok := ctx.Deadline(); ok && wait >= time.Until(deadline)-p.attemptTime() {
		return 0, ReasonDeadline
	}
	if hinted && p.maxHint >= 0 && hint > p.maxHint {
		return 0, ReasonPermanent
	}
	return wait, 0
}

// attemptTime is how long the next attempt will typically take, 0 if unknown.
func (p *Policy) attemptTime() time.Duration {
	if p.plain {
		return p.typical.Get()
	}
	return min(p.typical.Get(), p.timeout)
}

// sleep waits, and returns the context's error if that is over first.
func (c *call) sleep(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return ctx.Err()
	}
	begun := c.p.clock.Now()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		c.waited += wait
		c.p.delays.Record(ctx, 0, wait)
		return ctx.Err() // both may be ready: who has left gets no attempt
	case <-ctx.Done():
		c.waited += time.Duration(max(c.p.clock.Now()-begun, 0))
		return ctx.Err()
	}
}

// retry makes attempt n, 2 or more: timed, marked in its context, and in a span of its own. Where no span is recorded, the
// attempt stays in the caller's, so that the blocks inside can add their events to that.
func (p *Policy) retry(ctx context.Context, fn func(context.Context) error, n int) error {
	p.cell.Add(wordRetries, 1)
	ctx = attempt.With(ctx, n)
	spanCtx, span := p.tracer.Start(ctx, "retry.attempt",
		trace.WithAttributes(telemetry.NameKey.String(p.name), attemptKey.Int(n)))
	defer span.End()
	if span.IsRecording() {
		ctx = spanCtx
	}
	if !p.plain {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	begun := p.clock.Now()
	err := fn(ctx)
	p.typical.Add(time.Duration(p.clock.Now() - begun))
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	return err
}

// remember keeps err in the bounded history.
func (c *call) remember(err error) {
	if len(c.history) == MaxHistory {
		copy(c.history, c.history[1:])
		c.history = c.history[:MaxHistory-1]
	}
	c.history = append(c.history, err)
}

// end counts a call that stops and returns its error.
func (c *call) end(ctx context.Context, reason Reason, err error) error {
	p := c.p
	p.cell.Add(reason.word(), 1)
	if c.attempts == 1 && (reason == ReasonPermanent || p.maxAttempts == 1) {
		return err
	}
	telemetry.Event(ctx, "joist.retry.stopped", p.name, reasonKey.String(reason.String()), attemptKey.Int(c.attempts))
	c.remember(err)
	return &Error{
		Policy:   p.name,
		Attempts: c.attempts,
		Waited:   c.waited,
		Reason:   reason,
		Last:     err,
		History:  c.history,
		refused:  c.refused,
	}
}
