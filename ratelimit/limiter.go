package ratelimit

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// Options describes a [Limiter].
type Options struct {
	// Name is the block's name in metrics, events and errors: at most 128 bytes without control characters. Default
	// "default".
	Name string

	// Limits holds the limit. Exactly one is required.
	Limits []Limit

	// MeterProvider is where the counters are read. Default the global one.
	MeterProvider metric.MeterProvider

	// TracerProvider is where spans go. Default the global one. A Limiter opens no spans: what it has to tell are
	// events on the caller's.
	TracerProvider trace.TracerProvider
}

// Limiter is one token bucket. It is made with [New], safe for concurrent use, never blocks, and allocates nothing but
// the error of a refused Do. It owns no goroutine and needs no closing.
type Limiter struct {
	bucket bucket
	clock  clock.Clock
	cell   *telemetry.Cell
	name   string

	_    [cacheLine]byte // the word changes with every take: what is above does not share its line
	word atomic.Uint64   // the moment at which the bucket is full; see bucket
	_    [cacheLine - 8]byte
}

const cacheLine = 64

// New returns a limiter with a full bucket. The error lists everything that is wrong with o.
func New(o Options) (*Limiter, error) {
	f := options.Check("joist/ratelimit", "Options")
	f.Name(o.Name)
	checkLimits(f, o.Limits)
	if err := f.Err(); err != nil {
		return nil, err
	}
	l := &Limiter{
		bucket: newBucket(o.Limits[0]),
		clock:  clock.New(),
		cell:   telemetry.NewCell(words),
		name:   nameOr(o.Name),
	}
	observe(l, o.MeterProvider, l.name, l.cell, l.bucket.limit)
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
	_, ok := l.bucket.grab(&l.word, l.clock.Now(), 1)
	count(l.cell, ok)
	return ok
}

// AllowN takes n tokens and tells whether there were so many; if not, it takes none. A negative n is never allowed, and
// n = 0 always. Neither is counted.
func (l *Limiter) AllowN(n int64) bool {
	if n <= 0 {
		return n == 0
	}
	_, ok := l.bucket.grab(&l.word, l.clock.Now(), n)
	count(l.cell, ok)
	return ok
}

// Take takes n tokens, or none, and tells how the bucket stands. n = 0 takes nothing, is always allowed, and is not
// counted. The error is [ErrNegative] when n is negative.
func (l *Limiter) Take(n int64) (Result, error) {
	now := l.clock.Now()
	switch {
	case n < 0:
		return Result{}, ErrNegative
	case n == 0:
		return l.bucket.result(l.word.Load(), now, 0, true), nil
	}
	full, ok := l.bucket.grab(&l.word, now, n)
	count(l.cell, ok)
	return l.bucket.result(full, now, n, ok), nil
}

// Do takes a token and calls fn with ctx. It returns what fn returns; without a token it returns a [*LimitedError] at
// once, and when ctx has ended ctx.Err(), and does not call fn. Nothing is taken when ctx has ended. A token that was
// taken stays taken, whatever fn returns.
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
	if err := ctx.Err(); err != nil {
		return err
	}
	now := l.clock.Now()
	full, ok := l.bucket.grab(&l.word, now, 1)
	count(l.cell, ok)
	if ok {
		return nil
	}
	return refuse(ctx, l.name, l.bucket.result(full, now, 1, false))
}

// Stats is what a [Limiter] has counted since it was made.
type Stats struct {
	Allowed int64 // takes that were allowed
	Denied  int64 // takes that were denied
}

// Stats returns the counts so far. Takes that go on meanwhile may or may not be in them.
func (l *Limiter) Stats() Stats {
	return Stats{Allowed: l.cell.Total(allowed), Denied: l.cell.Total(denied)}
}
