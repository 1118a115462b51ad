package retry

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/attempt"
	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/internal/telemetry"
)

// Policy retries work that fails. It is made with [New] and is safe for concurrent use. It owns no goroutine and needs
// no Close.
//
// # Sampling
//
// How long attempts take is known from those that fail, from retries, and from 1 in 16 first attempts that succeed, but for
// those that were refused or cancelled: they ended before their time. Whether a first attempt will fail is not known when
// it begins, and a reading of the clock costs more than all else that a success needs. So unwatched, which a call reads
// anyway, says which calls do without: at first and after a failure none, so that failures that come together are all
// timed but the first; after a timed success 15 in 16. Policies that need the beginning of each call for AttemptTimeout,
// MaxElapsed, or a Budget that is a preset, have all calls watched, always.
type Policy struct {
	// What a call that succeeds at once reads, together.
	cell      *telemetry.Cell
	unwatched atomic.Uint32 // 0 or sampleMask: a first attempt is watched if its number has none of these bits

	name           string
	maxAttempts    int // below 0: unlimited
	backoff        Backoff
	timeout        time.Duration // 0: none
	maxElapsed     time.Duration // 0: none
	maxHint        time.Duration // below 0: any
	firstTriesOnly bool
	watchesAll     bool
	budget         *Budget
	retryable      func(error) bool
	onRetry        func(context.Context, Event)
	clock          clock.Clock
	typical        *attemptTimes
	delays         *telemetry.Histogram
	hedging        hedging
	tracer         trace.Tracer
}

// sampleMask has one first attempt in 16 timed, of each stripe of the counter.
const sampleMask = 15

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
		cell:           telemetry.NewCell(words),
		name:           o.Name,
		maxAttempts:    o.MaxAttempts,
		backoff:        o.Backoff.orDefault(),
		timeout:        o.AttemptTimeout,
		maxElapsed:     o.MaxElapsed,
		maxHint:        o.MaxHint,
		firstTriesOnly: o.FirstTriesOnly,
		watchesAll:     o.AttemptTimeout > 0 || o.MaxElapsed > 0 || o.Budget != nil && o.Budget.told,
		budget:         o.Budget,
		retryable:      o.Retryable,
		onRetry:        o.OnRetry,
		clock:          clock.New(),
		typical:        new(attemptTimes),
		tracer:         telemetry.NewTracer(o.TracerProvider, ScopeName),
	}
	if p.name == "" {
		p.name = telemetry.DefaultName
	}
	if p.maxAttempts == 0 {
		p.maxAttempts = DefaultMaxAttempts
	}
	p.hedging.init(o, p.name)
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
// gave out, 2 and more inside a retry. Of nested policies the innermost one that retries tells its own number; that of an
// outer one is seen through the first attempts of those inside.
func Attempt(ctx context.Context) int { return attempt.From(ctx) }

// Do calls fn until it returns nil, and then returns nil. It stops without success:
//
//   - when fn fails with an error that no retry can help: one marked with [Permanent], one that Options.Retryable
//     rejects, one that asks for a longer wait than MaxHint (ReasonPermanent);
//   - when MaxAttempts have failed (ReasonExhausted);
//   - when ctx is cancelled, during an attempt or a wait (ReasonCancelled);
//   - when the deadline of ctx or MaxElapsed has passed, or would pass before the next wait and a typical attempt are over:
//     then it does not wait at all (ReasonDeadline);
//   - when the budget has no retry left (ReasonBudget).
//
// The result is then an [*Error], except that fn's own error is returned as it is when the first attempt fails with
// ReasonPermanent or when MaxAttempts is 1, as with FirstTriesOnly it is for a call within a retry. If ctx is over before
// the first attempt, fn is not called and Do returns ctx.Err().
//
// The first attempt gets ctx itself, or with AttemptTimeout a child of it; the later ones get a child that tells
// [Attempt] and the blocks inside which attempt they are. Do waits in the calling goroutine and calls fn in it. A panic
// or a runtime.Goexit in fn passes through untouched.
//
// A call that succeeds at once reads no clock (but 1 in 16, and those soon after a failure), takes no lock, and allocates
// nothing; fn does not escape. AttemptTimeout, MaxElapsed, and a Budget that is a preset each cost what they say.
func (p *Policy) Do(ctx context.Context, fn func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return p.unbegun(err)
	}
	n := uint32(p.cell.Inc(wordStarted))
	if n&p.unwatched.Load() == 0 {
		return p.watched(ctx, fn, n)
	}
	err := fn(ctx)
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

// again takes over from Do when a first attempt of which nothing else is known has failed.
func (p *Policy) again(ctx context.Context, fn func(context.Context) error, err error) error {
	c := call{p: p, attempts: 1, refused: true}
	return c.repeat(ctx, fn, err)
}

// watched makes call n, whose first attempt is timed, limited, or both.
func (p *Policy) watched(ctx context.Context, fn func(context.Context) error, n uint32) error {
	if p.watchesAll {
		c := call{p: p, number: n, refused: true}
		return c.repeat(ctx, fn, c.attempt(ctx, fn))
	}
	begun := p.clock.Now()
	err := fn(ctx)
	p.took(begun, n, err)
	if err == nil {
		p.cell.Add(wordFirstTry, 1)
		return nil
	}
	return p.again(ctx, fn, err)
}

// took takes the time of the first attempt of call n: of all that fail, and of 1 in 16 that succeed.
func (p *Policy) took(begun int64, n uint32, err error) {
	if err == nil && n&sampleMask != 0 || cutShort(err) {
		return
	}
	p.typical.Add(time.Duration(p.clock.Now() - begun))
	if err == nil && !p.watchesAll && p.unwatched.Load() == 0 {
		p.unwatched.Store(sampleMask)
	}
}

// cutShort tells whether an attempt's time says nothing about how long one takes: it was refused, and so never made, or
// cancelled. One that ran into a deadline took at least that long.
func cutShort(err error) bool { return refusal.Refused(err) || errors.Is(err, context.Canceled) }

// watch has all first attempts watched, until one that is sampled succeeds.
func (p *Policy) watch() {
	if p.unwatched.Load() != 0 {
		p.unwatched.Store(0)
	}
}

// unbegun counts a call that finds its context over.
func (p *Policy) unbegun(over error) error {
	p.cell.Add(reasonOf(over).word(), 1)
	return over
}

// attemptTime is how long the next attempt will typically take, 0 if unknown.
func (p *Policy) attemptTime() time.Duration {
	if p.timeout > 0 {
		return min(p.typical.Get(), p.timeout)
	}
	return p.typical.Get()
}

// reasonOf returns the reason that goes with the error of a context that is over.
func reasonOf(err error) Reason {
	if err == context.DeadlineExceeded { //nolint:errorlint // what Context.Err returns is never wrapped
		return ReasonDeadline
	}
	return ReasonCancelled
}
