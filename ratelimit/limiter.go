package ratelimit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// DefaultMaxWaiters is the MaxWaiters of a [Limiter] that was given none.
const DefaultMaxWaiters = 1000

const maxWaitersMost = 1_000_000

// Options describes a [Limiter].
type Options struct {
	// Name is the block's name in metrics, events and errors: at most 128 bytes without control characters. Default
	// "default".
	Name string

	// Limits holds the limits: 1 to MaxLimits, with names that differ. All must allow a take, or nothing is taken from
	// any. Required.
	Limits []Limit

	// MaxWait is how long Do and Wait may wait for their tokens. A wait that would be longer is not begun. Default 0: Do
	// refuses at once, and Wait has the time that its context has.
	MaxWait time.Duration

	// MaxWaiters is how many calls may wait at a time, at most 1e6. One more is refused at once. Default
	// DefaultMaxWaiters.
	MaxWaiters int

	// MeterProvider is where the counters are read. Default the global one.
	MeterProvider metric.MeterProvider

	// TracerProvider is where spans go. Default the global one. A Limiter opens no spans: what it has to tell are
	// events on the caller's.
	TracerProvider trace.TracerProvider
}

// Limiter is a token bucket, or several that hold together. It is made with [New] and safe for concurrent use. Only Wait
// blocks, and Do if it may wait. Takes allocate nothing but the error of a refusal. It owns no goroutine and needs no
// closing.
//
// One limit is a word that changes by compare-and-swap; several are under a mutex for some 50 ns.
type Limiter struct {
	state   atomic.Pointer[state]
	clock   clock.Clock
	name    string
	cells   *cells
	maxWait time.Duration
	queue   queue
	setting sync.Mutex // held while limits are set: who meets a sealed state waits for it
}

// New returns a limiter with full buckets. The error lists everything that is wrong with o.
func New(o Options) (*Limiter, error) {
	f := options.Check("joist/ratelimit", "Options")
	f.Name(o.Name)
	checkLimits(f, o.Limits)
	f.Require(o.MaxWait >= 0, "MaxWait", o.MaxWait, "must not be negative")
	f.Require(o.MaxWaiters >= 0 && o.MaxWaiters <= maxWaitersMost, "MaxWaiters", o.MaxWaiters,
		"must be from 1 to 1e6, or 0 for the default")
	if err := f.Err(); err != nil {
		return nil, err
	}
	l := &Limiter{clock: clock.New(), name: nameOr(o.Name), maxWait: o.MaxWait}
	l.cells = newCells(l, o.MeterProvider, l.name)
	l.queue.most = o.MaxWaiters
	if l.queue.most == 0 {
		l.queue.most = DefaultMaxWaiters
	}
	l.queue.waits = l.cells.waits()
	l.state.Store(newState(newPlan(o.Limits, l.cells), nil))
	return l, nil
}

func nameOr(name string) string {
	if name == "" {
		return telemetry.DefaultName
	}
	return name
}

// Allow takes one token and tells whether there was one.
func (l *Limiter) Allow() bool {
	now := l.clock.Now()
	for {
		if ok, live := l.state.Load().allow(now, 1); live {
			return ok
		}
		l.settled()
	}
}

// AllowN takes n tokens and tells whether there were so many; if not, it takes none. A negative n is never allowed, and
// n = 0 always. Neither is counted.
func (l *Limiter) AllowN(n int64) bool {
	if n <= 0 {
		return n == 0
	}
	now := l.clock.Now()
	for {
		if ok, live := l.state.Load().allow(now, n); live {
			return ok
		}
		l.settled()
	}
}

// Take takes n tokens, or none, and tells how the buckets stand. n = 0 takes nothing, is always allowed, and is not
// counted. The error is [ErrNegative] when n is negative.
func (l *Limiter) Take(n int64) (Result, error) {
	switch {
	case n < 0:
		return Result{}, ErrNegative
	case n == 0:
		return l.peek(), nil
	}
	return l.take(n), nil
}

// take takes n tokens, at least 1.
func (l *Limiter) take(n int64) Result {
	now := l.clock.Now()
	for {
		if r, live := l.state.Load().take(now, n); live {
			return r
		}
		l.settled()
	}
}

func (l *Limiter) peek() Result {
	now := l.clock.Now()
	var room [MaxLimits]uint64
	for {
		s := l.state.Load()
		if words, live := s.read(&room); live {
			return s.plan.peek(words, now)
		}
		l.settled()
	}
}

// settled waits until the state that replaces a sealed one is there.
func (l *Limiter) settled() {
	l.setting.Lock()
	l.setting.Unlock() //nolint:staticcheck // nothing is done but to wait
}

// Do takes a token and calls fn with ctx. It returns what fn returns; without a token it returns a [*LimitedError], at
// once unless there is a MaxWait, see [Limiter.Wait]. When ctx has ended it returns ctx.Err(). It does not call fn then,
// and nothing is taken. A token that was taken stays taken, whatever fn returns.
func (l *Limiter) Do(ctx context.Context, fn func(context.Context) error) error {
	if err := l.admit(ctx); err != nil {
		return err
	}
	return fn(ctx)
}

// DoValue is [Limiter.Do] for a call that returns a value. V is zero when fn was not called.
func DoValue[V any](ctx context.Context, l *Limiter, fn func(context.Context) (V, error)) (V, error) {
	if err := l.admit(ctx); err != nil {
		var zero V
		return zero, err
	}
	return fn(ctx)
}

func (l *Limiter) admit(ctx context.Context) error {
	if l.maxWait > 0 {
		return l.WaitN(ctx, 1)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s := l.state.Load(); s.single {
		now := l.clock.Now()
		full, ok := s.bucket.grab(&s.word, now, 1)
		switch {
		case full == sealed: // again below
		case ok || s.bucket.limit.Shadow:
			s.bucket.count(ok)
			return nil
		default:
			s.bucket.count(ok)
			return refuse(ctx, l.name, s.bucket.result(full, now, 1, false), nil)
		}
	}
	if r := l.take(1); !r.Allowed {
		return refuse(ctx, l.name, r, nil)
	}
	return nil
}

// Stats is what a [Limiter] has counted since it was made, and who waits.
type Stats struct {
	Allowed      int64 // takes that were allowed, at once or after a wait
	Denied       int64 // takes that were denied
	ShadowDenied int64 // takes that a shadow would have denied, allowed or not, for each such limit
	Waiting      int   // calls that wait now
}

// Stats returns the counts so far. Takes that go on meanwhile may or may not be in them.
func (l *Limiter) Stats() Stats {
	return Stats{
		Allowed:      l.cells.total(allowed),
		Denied:       l.cells.total(denied),
		ShadowDenied: l.cells.total(shadowDenied),
		Waiting:      int(l.queue.length.Load()),
	}
}
