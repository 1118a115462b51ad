package cache

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/telemetry"
	"github.com/joist-go/joist/pool/flight"
)

// answer is what a Get does with what it found: held is what there was at now, nil for nothing.
func (c *Cache[K, V]) answer(
	ctx context.Context, key K, held *entry[V], now int64, load func(context.Context, K) (V, error),
) (Entry[V], error) {
	if held != nil {
		switch {
		case now < held.hitUntil: // loaded or set between the look into the cache and the flight
			c.cell.Add(wordHit, 1)
			return held.public(now, SourceLocal), nil
		case held.kind == kindValue && now < held.staleUntil:
			c.refresh(ctx, key, held, now, load)
			return c.stale(ctx, held, now, wordStale), nil
		case held.kind == kindAbsent && now < held.staleUntil:
			c.cell.Add(wordNegative, 1)
			return Entry[V]{}, held.err
		case now >= held.retryAt:
			// A load may begin.
		case held.usable(now):
			return c.stale(ctx, held, now, wordStale), nil
		default:
			return Entry[V]{}, c.refuse(ctx, held, now)
		}
	}
	return c.await(ctx, key, load)
}

// stale answers with a value past its time, and says so.
func (c *Cache[K, V]) stale(ctx context.Context, held *entry[V], now int64, word int) Entry[V] {
	c.cell.Add(word, 1)
	e := held.public(now, SourceLocal)
	c.tellStale(ctx, e.Age)
	return e
}

// refuse answers for a key that must not be loaded yet and has nothing to serve.
func (c *Cache[K, V]) refuse(ctx context.Context, held *entry[V], now int64) error {
	c.cell.Add(wordRefused, 1)
	telemetry.Event(ctx, eventRefused, c.name)
	return &BackoffError{Name: c.name, Err: held.err, After: time.Duration(held.retryAt - now)}
}

// refresh starts a load behind a stale value, unless one runs, it is too early after a failure, or all that may run at
// once do.
func (c *Cache[K, V]) refresh(
	ctx context.Context, key K, held *entry[V], now int64, load func(context.Context, K) (V, error),
) {
	if now < held.retryAt || held.refreshing.Load() || !held.refreshing.CompareAndSwap(false, true) {
		return
	}
	if !c.refreshes.acquire() {
		held.refreshing.Store(false)
		return
	}
	done := func() {
		c.refreshes.release()
		held.refreshing.Store(false)
	}
	if !c.flights.Go(ctx, key, c.loaderIfDue(key, load, done)) {
		done() // loaded in the foreground, or closed
	}
}

// await loads the key, or joins the load in flight, waits for it, and falls back to a stale value when it fails.
func (c *Cache[K, V]) await(
	ctx context.Context, key K, load func(context.Context, K) (V, error),
) (Entry[V], error) {
	const counted = -1
	word := wordError // also when the load panics through here
	defer func() {
		if word != counted {
			c.cell.Add(word, 1)
		}
	}()

	got, shared, err := c.flights.DoShared(ctx, key, c.loaderIfDue(key, load, nil))
	if err == nil {
		if got.found != nil {
			word = counted
			return c.answer(ctx, key, got.found, got.foundAt, load) // which loads nothing, as it was not due then
		}
		if shared {
			link(ctx, got.span)
		}
		switch err = got.err; {
		case err == nil:
			word = wordMiss
			return got.entry.public(c.clock.Now(), SourceLoad), nil
		case got.outcome == outcomeNotFound:
			word = wordNotFound
			return Entry[V]{}, err
		}
	}
	if left := ctx.Err(); left != nil && errors.Is(err, left) {
		return Entry[V]{}, err
	}

	// What is held now, and not what was held before the load: a Delete in the meantime must show.
	held, _ := c.entries.GetIfPresent(key)
	now := c.clock.Now()
	switch {
	case !held.usable(now):
		refused, err := c.asRefusal(err)
		if refused {
			word = wordRefused
		}
		return Entry[V]{}, err
	case now < held.hitUntil: // set meanwhile
		word = wordHit
		return held.public(now, SourceLocal), nil
	default:
		word = wordStaleLoad
		e := held.public(now, SourceLocal)
		c.tellStale(ctx, e.Age)
		return e, nil
	}
}

// link ties the caller's span to that of a load which another caller began.
func link(ctx context.Context, load trace.SpanContext) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() && load.IsValid() {
		span.AddLink(trace.Link{SpanContext: load})
	}
}

// asRefusal returns err, or the cache's own refusal where err is that of its flights, and which of the two it was.
func (c *Cache[K, V]) asRefusal(err error) (refused bool, _ error) {
	if e, ok := errors.AsType[*flight.ClosedError](err); ok && c.closed.Load() && e.Name == c.name {
		return true, c.closeError
	}
	return false, err
}
