package cache

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/telemetry"
	"github.com/joist-go/joist/pool/flight"
)

// loaded is what a load tells those who wait for it.
type loaded[V any] struct {
	outcome outcome
	entry   *entry[V] // the value, for outcomeOK; the cache keeps it only if no write came in between
	err     error     // for the others
	span    trace.SpanContext

	found   *entry[V] // not nil: no load was due any more, this is what the cache held at foundAt
	foundAt int64
}

// loading is one load from its start to its end. It is settled once: by its function's return, or before that at
// LoadTimeout, after which whatever the function still returns is dropped.
type loading[K comparable, V any] struct {
	cache  *Cache[K, V]
	key    K
	ctx    context.Context
	span   trace.Span
	start  int64
	end    int64 // the moment of LoadTimeout
	ticket ticket[K, V]
	done   func() // called when settled; may be nil

	mu      sync.Mutex // held while the load commits, so that whoever finds it settled finds what it left
	settled bool
}

// loader returns the function of a flight that loads key.
func (c *Cache[K, V]) loader(
	key K, load func(context.Context, K) (V, error), done func(),
) func(context.Context) (*loaded[V], error) {
	return func(ctx context.Context) (*loaded[V], error) { return c.run(ctx, key, load, done), nil }
}

// loaderIfDue is loader for those who have looked and found that a load is due. Between that look and their flight
// another one may have landed. So they look again from within their flight, beside which no other can end, and a load
// that many ask for at once is made once.
func (c *Cache[K, V]) loaderIfDue(
	key K, load func(context.Context, K) (V, error), done func(),
) func(context.Context) (*loaded[V], error) {
	return func(ctx context.Context) (*loaded[V], error) {
		if before := c.writes.newest(key); before != nil && c.clock.Now() >= before.end {
			before.expire() // its key is free since its end, which its own timer may be about to tell
		}
		held, _ := c.entries.GetIfPresent(key)
		if now := c.clock.Now(); !held.due(now) {
			if done != nil {
				done()
			}
			return &loaded[V]{found: held, foundAt: now}, nil
		}
		return c.run(ctx, key, load, done), nil
	}
}

// run loads key. A panic or Goexit of load passes through, to be handled by the flight, once it is settled.
func (c *Cache[K, V]) run(
	ctx context.Context, key K, load func(context.Context, K) (V, error), done func(),
) *loaded[V] {
	l := &loading[K, V]{cache: c, key: key, done: done}
	l.ticket = c.writes.join(key)
	defer c.writes.leave(key, l.ticket)
	l.start, l.end = c.clock.Now(), never
	if end, ok := ctx.Deadline(); ok {
		l.end = c.clock.At(end)
	}
	l.ctx, l.span = c.tracer.Start(ctx, spanLoad, trace.WithAttributes(telemetry.NameKey.String(c.name)))
	c.cell.Add(wordLoads, 1)
	l.ticket.generation.newest.Store(l)
	if c.loadTimeout > 0 {
		defer time.AfterFunc(c.loadTimeout, l.expire).Stop()
	}
	returned := false
	defer func() {
		if !returned {
			l.fail(outcomePanic, errPanicked)
		}
	}()
	v, err := load(l.ctx, key)
	returned = true
	switch {
	case err == nil:
		return l.succeed(v)
	case errors.Is(err, ErrNotFound):
		return l.notFound(err)
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return l.fail(outcomeTimeout, timedOut(context.Cause(ctx), err))
	default:
		return l.fail(outcomeError, err)
	}
}

// timedOut returns the same time-out for a load that obeyed the end of its context as for one that hangs, with what it
// said of itself beside it where that is more than the context's error.
func timedOut(cause, err error) error {
	if err == context.DeadlineExceeded { //nolint:errorlint // a wrapped one says more
		return cause
	}
	return errors.Join(cause, err)
}

// expire settles a load that takes too long, as its flight does: neither waits for a function that may hang.
func (l *loading[K, V]) expire() {
	l.fail(outcomeTimeout, &flight.TimeoutError{Name: l.cache.name, After: l.cache.loadTimeout})
}

func (l *loading[K, V]) succeed(v V) *loaded[V] {
	e := value(&l.cache.lives, v, l.start)
	l.settle(outcomeOK, nil, func(*entry[V], int64) *entry[V] { return e })
	return &loaded[V]{outcome: outcomeOK, entry: e, span: l.span.SpanContext()}
}

// notFound replaces what the key had, which is gone from the source, by that answer.
func (l *loading[K, V]) notFound(err error) *loaded[V] {
	l.settle(outcomeNotFound, err, func(*entry[V], int64) *entry[V] {
		if l.cache.lives.notFoundTTL < 0 {
			return nil
		}
		return absent[V](&l.cache.lives, err, l.start)
	})
	return &loaded[V]{outcome: outcomeNotFound, err: err, span: l.span.SpanContext()}
}

// fail keeps what the key had and remembers the failure beside it.
func (l *loading[K, V]) fail(how outcome, err error) *loaded[V] {
	b := l.cache.backoff
	l.settle(how, err, func(held *entry[V], now int64) *entry[V] {
		if b.off() || l.cache.closed.Load() {
			return held
		}
		failures := 1
		if held != nil {
			failures += held.failures
		}
		retryAt := after(now, b.wait(failures, err))
		return held.failedAgain(err, failures, l.start, now, retryAt, after(retryAt, b.longest))
	})
	return &loaded[V]{outcome: how, err: err, span: l.span.SpanContext()}
}

// settle commits what the load came to, once, and tells of it.
func (l *loading[K, V]) settle(how outcome, err error, next func(held *entry[V], now int64) *entry[V]) {
	c := l.cache
	now := c.clock.Now()
	l.mu.Lock()
	first := !l.settled
	if first {
		l.settled = true
		l.commit(now, next)
	}
	l.mu.Unlock()
	if !first {
		return
	}
	if l.done != nil {
		l.done()
	}
	if how >= outcomeError {
		c.cell.Add(wordFailures, 1)
		c.log.Warn(l.ctx, failures[how], err)
		l.span.SetStatus(codes.Error, "")
		l.span.SetAttributes(attribute.String("error.type", telemetry.ErrorType(err)))
	}
	c.durations.Record(l.ctx, int(how), time.Duration(now-l.start))
	l.span.SetAttributes(outcomeKey.String(outcomes[how]))
	l.span.End()
}

// commit replaces the key's entry by what next makes of it, nil for none, unless the key was written since the load
// began or holds the result of a load that began later. See generations for why this is right.
func (l *loading[K, V]) commit(now int64, next func(held *entry[V], now int64) *entry[V]) {
	c := l.cache
	if !lasting(l.key) {
		return
	}
	held, _ := c.entries.Compute(l.key, func(held *entry[V], _ bool) (*entry[V], otter.ComputeOp) {
		if !l.ticket.current() || held != nil && held.loadedAt > l.start {
			return nil, otter.CancelOp
		}
		switch e := next(held, now); e {
		case held:
			return nil, otter.CancelOp
		case nil:
			return nil, otter.InvalidateOp
		default:
			return e, otter.WriteOp
		}
	})
	c.sweeper.arm(c, held)
}
