package cache

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/telemetry"
	"github.com/joist-go/joist/pool/flight"
)

// Cache is a read-through cache in the memory of this process: [Cache.Get] answers with the value that it holds for a
// key, or loads it. It is made with [New], safe for concurrent use, and must not be copied.
//
// The engine, otter, bounds the entries and chooses what makes room (W-TinyLFU). It knows nothing of time: an entry
// carries its own deadlines, so a hit is one look-up, one comparison and one addition to a striped counter; only near
// the end of an entry's freshness, and once a second, it also reads the clock (see horizon). Lives are exact while the
// process runs; one that was stopped and goes on may answer for some milliseconds as if it had not been away. Entries
// past their last usable moment are swept out behind (see sweeper).
//
// Keys are compared with ==. One that is not equal to itself, such as a NaN, is loaded by each Get and never kept.
type Cache[K comparable, V any] struct {
	// What a hit reads comes first.
	entries *otter.Cache[K, *entry[V]]
	horizon *horizon
	clock   clock.Clock
	cell    *telemetry.Cell

	load        func(context.Context, K) (V, error)
	loadTimeout time.Duration // negative: none
	lives       lives
	backoff     backoff
	flights     *flight.Group[K, *loaded[V]]
	writes      generations[K, V]
	refreshes   slots
	sweeper     sweeper[K, V]
	closed      atomic.Bool
	closeError  *ClosedError

	name      string
	durations *telemetry.Histogram
	tracer    trace.Tracer
	log       *telemetry.Log
}

// New returns an empty cache. It reports every fault of o at once. The cache starts no goroutine until there is
// something to load; call [Cache.Close] when it is no longer needed and loads must not outlive it. One that is not
// closed is collected when it is dropped and its loads have ended.
func New[K comparable, V any](o Options[K, V]) (*Cache[K, V], error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	flights, err := flight.New[K, *loaded[V]](flight.Options{
		Name:           o.Name,
		Detached:       true,
		Timeout:        o.LoadTimeout,
		MeterProvider:  o.MeterProvider,
		TracerProvider: o.TracerProvider,
		Logger:         slog.New(slog.DiscardHandler), // the cache itself tells of every failed load
	})
	if err != nil {
		return nil, err
	}
	c := &Cache[K, V]{
		horizon:     newHorizon(),
		clock:       clock.New(),
		load:        o.Load,
		loadTimeout: o.LoadTimeout,
		lives: lives{
			ttl:                  o.TTL,
			staleWhileRevalidate: o.StaleWhileRevalidate,
			staleIfError:         o.StaleIfError,
			notFoundTTL:          o.NotFoundTTL,
			jitter:               o.Jitter,
		},
		backoff:    backoff{longest: o.ErrorBackoff},
		flights:    flights,
		refreshes:  slots{limit: int64(o.RefreshConcurrency)},
		closeError: &ClosedError{Name: o.Name},
		name:       o.Name,
	}
	c.writes.init()
	cell := telemetry.NewCell(words)
	c.entries, err = newEngine[K, V](o.MaxEntries, cell)
	if err != nil {
		return nil, err
	}
	c.instrument(&o, cell)
	c.sweeper.init(&c.lives)
	return c, nil
}

// newEngine returns the engine: a bounded map with an eviction policy. Its maintenance runs now and then on a short
// goroutine of its own, which keeps hits from paying for it.
func newEngine[K comparable, V any](maxEntries int, cell *telemetry.Cell) (*otter.Cache[K, *entry[V]], error) {
	return otter.New(&otter.Options[K, *entry[V]]{
		MaximumSize: max(maxEntries, 0),
		OnAtomicDeletion: func(e otter.DeletionEvent[K, *entry[V]]) {
			if e.Cause == otter.CauseOverflow {
				cell.Add(wordEvicted, 1)
			}
		},
	})
}

// Get returns the value of key: from memory while it is fresh, or stale while the options allow it, and from a load
// otherwise. Gets of one key share a load.
//
// A hit neither blocks nor looks at ctx, and allocates nothing. A Get that needs a load waits for it until ctx ends,
// and then returns ctx.Err() at once; the load goes on for the others and for the next Get. Its context has the values
// of the ctx of the Get that began it, not its end.
//
// Errors: one for which errors.Is(err, [ErrNotFound]) holds when the source has no such value; what the load returned;
// a [*BackoffError] when the key's last load has just failed; ctx.Err(); a [*flight.TimeoutError] when the load took
// longer than LoadTimeout, for which errors.Is(err, context.DeadlineExceeded) holds; a [*ClosedError]. None of them but
// ErrNotFound, the caller's own ctx.Err() and a panic is returned while a value may be served stale.
//
// When the load panics, the Get that began it panics with a [*flight.PanicError], which holds the load's stack, and the
// others that wait get that as their error. A load that ends with runtime.Goexit is the error [flight.ErrGoexit].
func (c *Cache[K, V]) Get(ctx context.Context, key K) (V, error) { return c.get(ctx, key, c.load) }

func (c *Cache[K, V]) get(ctx context.Context, key K, load func(context.Context, K) (V, error)) (V, error) {
	held, _ := c.entries.GetIfPresent(key)
	if held != nil && c.horizon.beyond(held.hitUntil) {
		c.cell.Add(wordHit, 1)
		return held.value, nil
	}
	now := c.clock.Now()
	if held != nil && now < held.hitUntil {
		c.horizon.raise(c.clock, now, held.hitUntil)
		c.cell.Add(wordHit, 1)
		return held.value, nil
	}
	e, err := c.answer(ctx, key, held, now, load)
	return e.Value, err
}

// GetEntry is Get with what is known of the value beside it.
func (c *Cache[K, V]) GetEntry(ctx context.Context, key K) (Entry[V], error) {
	now := c.clock.Now()
	held, _ := c.entries.GetIfPresent(key)
	if held != nil && now < held.hitUntil {
		c.cell.Add(wordHit, 1)
		return held.public(now, SourceLocal), nil
	}
	return c.answer(ctx, key, held, now, c.load)
}

// GetWith is Get with another load than that of the options, for a source that takes more than the key. Should a load
// of the key be in flight, whatever began it, its answer is taken. A nil load is an error.
func (c *Cache[K, V]) GetWith(ctx context.Context, key K, load func(context.Context, K) (V, error)) (V, error) {
	if load == nil {
		var none V
		return none, errNoLoad
	}
	return c.get(ctx, key, load)
}

var errNoLoad = errors.New("joist/cache: GetWith needs a load, got nil")

// Close lets no new load begin and waits for those in flight. It returns nil when all have ended, those that nobody
// waits for any more included. When ctx ends before that, it cancels their contexts and returns an error that tells how
// many there are, for which errors.Is(err, ctx.Err()) holds.
//
// A closed cache still answers with what it holds, fresh or stale as the options allow; whatever needs a load, and Set
// and Delete, return a [*ClosedError]. Close may be called more than once.
func (c *Cache[K, V]) Close(ctx context.Context) error {
	c.closed.Store(true)
	c.sweeper.stop()
	return c.flights.Close(ctx)
}

// slots bounds how many of something run at once.
type slots struct {
	limit int64 // negative: no bound
	taken atomic.Int64
}

func (s *slots) acquire() bool {
	limit := s.limit
	if limit < 0 {
		limit = math.MaxInt64
	}
	if s.taken.Add(1) <= limit {
		return true
	}
	s.taken.Add(-1)
	return false
}

func (s *slots) release() { s.taken.Add(-1) }
