package retry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/attempt"
	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/telemetry"
)

// Policy retries work that fails. It is made with [New] and is safe for concurrent use. It owns no goroutine and needs
// no Close.
type Policy struct {
	// What a call that succeeds at once reads, together.
	cell  *telemetry.Cell
	plain bool // no AttemptTimeout

	name        string
	maxAttempts int
	backoff     Backoff
	timeout     time.Duration
	maxHint     time.Duration // below 0: any
	budget      *Budget
	retryable   func(error) bool
	onRetry     func(context.Context, Event)
	clock       clock.Clock
	typical     *attemptTimes
	delays      *telemetry.Histogram
	tracer      trace.Tracer
}

// attemptTimes is how long attempts typically take, on a cache line of its own: those of the policy are only read.
type attemptTimes struct {
	clock.Average
	_ [56]byte
}

// New returns a Policy, or all faults of o joined.
func New(o Options) (*Policy, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &Policy{
		cell:        telemetry.NewCell(words),
		plain:       o.AttemptTimeout == 0,
		name:        o.Name,
		maxAttempts: o.MaxAttempts,
		backoff:     o.Backoff.orDefault(),
		timeout:     o.AttemptTimeout,
		maxHint:     o.MaxHint,
		budget:      o.Budget,
		retryable:   o.Retryable,
		onRetry:     o.OnRetry,
		clock:       clock.New(),
		typical:     new(attemptTimes),
		tracer:      telemetry.NewTracer(o.TracerProvider, ScopeName),
	}
	if p.name == "" {
		p.name = telemetry.DefaultName
	}
	if p.maxAttempts == 0 {
		p.maxAttempts = DefaultMaxAttempts
	}
	if p.maxHint == 0 {
		p.maxHint = p.backoff.Cap()
	}
	if p.budget == nil {
		p.budget = newBudget(BudgetOptions{Name: p.name})
	}
	p.observe(telemetry.NewMeter(o.MeterProvider, ScopeName, o.Name))
	p.budget.join(p)
	return p, nil
}

// Attempt returns the number of the attempt that ctx belongs to: 1 for a first attempt and for a ctx that no policy
// gave out, 2 and more inside a retry.
func Attempt(ctx context.Context) int { return attempt.From(ctx) }

// sampleMask has one first attempt in 16 timed, of each stripe of the counter.
const sampleMask = 15

// Do calls fn until it returns nil, and then returns nil. It stops without success:
//
//   - when fn fails with an error that no retry can help: one marked with [Permanent], one that Options.Retryable
//     rejects, one that asks for a longer wait than MaxHint (ReasonPermanent);
//   - when MaxAttempts have failed (ReasonExhausted);
//   - when ctx is cancelled, during an attempt or a wait (ReasonCancelled);
//   - when the deadline of ctx has passed, or would pass before the next wait and a typical attempt are over: then it
//     does not wait at all (ReasonDeadline);
//   - when the budget has no retry left (ReasonBudget).
//
// The result is then an [*Error], except that fn's own error is returned as it is when the first attempt fails with
// ReasonPermanent or when MaxAttempts is 1. If ctx is over before the first attempt, fn is not called and Do returns
// ctx.Err().
//
// The first attempt gets ctx itself, or with AttemptTimeout a child of it; the later ones get a child that tells
// [Attempt] and the blocks inside which attempt they are. Do waits in the calling goroutine and calls fn in it. A panic
// or a runtime.Goexit in fn passes through untouched.
//
// A call that succeeds at once reads no clock (but 1 in 16), takes no lock, and allocates nothing without
// AttemptTimeout; fn does not escape.
func (p *Policy) Do(ctx context.Context, fn func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		p.cell.Add(reasonOf(err).word(), 1)
		return err
	}
	n := p.cell.Inc(wordStarted)
	var err error
	if p.plain && n&sampleMask != 1 {
		err = fn(ctx)
	} else {
		err = p.first(ctx, fn, n&sampleMask == 1)
	}
	if err == nil {
		p.cell.Add(wordFirstTry, 1)
		return nil
	}
	return p.again(ctx, fn, err)
}

// DoValue is [Policy.Do] for work that returns a value. It returns what the last attempt returned, the value also beside
// an error; without an attempt the value is zero.
func DoValue[V any](ctx context.Context, p *Policy, fn func(context.Context) (V, error)) (V, error) {
	var v V
	err := p.Do(ctx, func(ctx context.Context) error {
		var err error
		v, err = fn(ctx)
		return err
	})
	return v, err
}

// first makes a first attempt that is timed, limited, or both.
func (p *Policy) first(ctx context.Context, fn func(context.Context) error, sampled bool) error {
	if !p.plain {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	if !sampled {
		return fn(ctx)
	}
	begun := p.clock.Now()
	err := fn(ctx)
	p.typical.Add(time.Duration(p.clock.Now() - begun))
	return err
}

// reasonOf returns the reason that goes with the error of a context that is over.
func reasonOf(err error) Reason {
	if err == context.DeadlineExceeded { //nolint:errorlint // what Context.Err returns is never wrapped
		return ReasonDeadline
	}
	return ReasonCancelled
}
