package retry

import (
	"context"
	"time"

	"github.com/joist-go/joist/internal/attempt"
	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/internal/telemetry"
)

// call is one call of a policy and what its attempts have left: the rules, for [Policy.Do] and for [Run] alike. It belongs
// to the goroutine that makes the call. Do has it on its stack, and only once it is needed.
//
// An attempt is begin, the work, and finish; release follows whatever becomes of the work. After a failure next waits, or
// ends the call.
type call struct {
	p           *Policy
	number      uint32 // of the call, on its stripe of the counter: says whether its first attempt is a sample
	begun       int64  // reading of the clock, only where the first attempt was watched
	attempts    int    // begun so far
	maxAttempts int    // of this call, below 0: unlimited; set at the first failure
	waited      time.Duration
	delay       time.Duration // the backoff's last one
	price       int64         // what the last attempt cost the budget, 0 for a first one
	hedged      bool          // attempts after the first are hedges
	refused     bool          // every attempt so far was refused
	history     []error
}

// repeat makes the attempts that follow one that ended with err, and returns how the call ended.
func (c *call) repeat(ctx context.Context, fn func(context.Context) error, err error) error {
	for err != nil {
		if over, stopped := c.next(ctx, err); over {
			return stopped
		}
		err = c.attempt(ctx, fn)
	}
	c.succeeded()
	return nil
}

// attempt makes one attempt.
func (c *call) attempt(ctx context.Context, fn func(context.Context) error) error {
	t := c.begin(ctx)
	defer t.release()
	err := fn(t.ctx)
	c.finish(&t, err)
	return err
}

// succeeded counts a call whose last attempt succeeded.
func (c *call) succeeded() { c.p.succeeded(c.attempts, c.price) }

// succeeded counts a call that succeeded at the given attempt, for which the budget was paid the given price.
func (p *Policy) succeeded(attempt int, price int64) {
	p.budget.succeeded(price)
	if attempt == 1 {
		p.cell.Add(wordFirstTry, 1)
		return
	}
	p.cell.Add(wordRecovered, 1)
}

// next takes the failure of an attempt and waits until another may begin. If none may, the call is over, and next returns
// its error.
func (c *call) next(ctx context.Context, err error) (over bool, stopped error) {
	p := c.p
	if c.attempts == 1 {
		c.maxAttempts = p.limit(ctx, p.maxAttempts)
		p.watch()
	}
	c.refused = c.refused && refusal.Refused(err)
	wait, stop := c.decide(ctx, err)
	if stop == 0 {
		var paid bool
		if c.price, paid = p.budget.draw(err); !paid {
			stop = ReasonBudget
		}
	}
	if stop != 0 {
		return true, c.end(ctx, stop, err)
	}
	if left := c.sleep(ctx, wait); left != nil {
		p.budget.giveBack(c.price)
		return true, c.end(ctx, reasonOf(left), err)
	}
	c.remember(err)
	if p.onRetry != nil {
		p.onRetry(ctx, Event{Policy: p.name, Attempt: c.attempts + 1, Waited: wait, Err: err})
	}
	return false, nil
}

// limit is how many of so many attempts a call with ctx may make.
func (p *Policy) limit(ctx context.Context, attempts int) int {
	if p.firstTriesOnly && attempt.From(ctx) > 1 {
		return 1
	}
	return attempts
}

// hopeless returns why no attempt can help after one that failed with err, 0 if one can. A caller who has left is told so
// unless the error itself says that no retry can help.
func (p *Policy) hopeless(ctx context.Context, err error) Reason {
	if !retryable(err) {
		return ReasonPermanent
	}
	if over := ctx.Err(); over != nil {
		return reasonOf(over)
	}
	if p.retryable != nil && !p.retryable(err) {
		return ReasonPermanent
	}
	p.budget.failed()
	return 0
}

// decide returns how long to wait before the next attempt, or why there is none. The order matters: what is true of the
// error comes before what is true of the call, so that an error which no retry can help is never reported as a lack of
// attempts or time.
func (c *call) decide(ctx context.Context, err error) (wait time.Duration, stop Reason) {
	p := c.p
	if stop = p.hopeless(ctx, err); stop != 0 {
		return 0, stop
	}
	if c.maxAttempts > 0 && c.attempts >= c.maxAttempts {
		return 0, ReasonExhausted
	}
	c.delay = p.backoff.Delay(c.attempts, c.delay)
	wait = c.delay
	hint, hinted := refusal.RetryAfter(err)
	if hinted {
		wait = max(wait, hint)
	}
	if left, limited := c.timeLeft(ctx); limited && wait >= left-p.attemptTime() {
		return 0, ReasonDeadline
	}
	if hinted && p.maxHint >= 0 && hint > p.maxHint {
		return 0, ReasonPermanent
	}
	return wait, 0
}

// timeLeft returns the time until the deadline of ctx or MaxElapsed, whichever comes first, and whether there is one.
func (c *call) timeLeft(ctx context.Context) (left time.Duration, limited bool) {
	deadline, limited := ctx.Deadline()
	if limited {
		left = time.Until(deadline)
	}
	if p := c.p; p.maxElapsed > 0 {
		until := p.maxElapsed - time.Duration(p.clock.Now()-c.begun)
		if !limited || until < left {
			left, limited = until, true
		}
	}
	return left, limited
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
	if c.attempts == 1 && (reason == ReasonPermanent || c.maxAttempts == 1) {
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
