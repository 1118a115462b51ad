package cache

import (
	"context"

	"github.com/maypok86/otter/v2"
)

// Set makes value the fresh value of key, as if it had been loaded now. Once it has returned, no Get that starts later
// sees an older value: a load that is in flight answers those who wait for it already, and is neither joined nor kept.
//
// It does not block, and ctx is not looked at: memory is the only level. It returns a [*ClosedError] after Close, and
// nil otherwise.
func (c *Cache[K, V]) Set(_ context.Context, key K, v V) error {
	if c.closed.Load() {
		return c.closeError
	}
	if !lasting(key) {
		return nil
	}
	e := value(&c.lives, v, c.clock.Now())
	c.entries.Compute(key, func(*entry[V], bool) (*entry[V], otter.ComputeOp) {
		c.writes.advance(key)
		return e, otter.WriteOp
	})
	c.flights.Forget(key)
	c.sweeper.arm(c, e)
	return nil
}

// Delete drops what the cache knows of the keys, a kept ErrNotFound and a back-off included, so that the next Get of
// each loads it. Once it has returned, no Get that starts later sees a value loaded or set before: a load that is in
// flight answers those who wait for it already, and is neither joined nor kept. A deleted value is not served stale.
//
// It does not block, and ctx is not looked at: memory is the only level. It returns a [*ClosedError] after Close, and
// nil otherwise, also for keys that the cache does not hold.
func (c *Cache[K, V]) Delete(_ context.Context, keys ...K) error {
	if c.closed.Load() {
		return c.closeError
	}
	for _, key := range keys {
		c.entries.Compute(key, func(*entry[V], bool) (*entry[V], otter.ComputeOp) {
			c.writes.advance(key)
			return nil, otter.InvalidateOp
		})
		// After the removal: a flight that began before it must not be joined by a Get that starts after this returns. One
		// that began since is forgotten too, which costs a load and does no harm.
		c.flights.Forget(key)
	}
	c.cell.Add(wordInvalidated, int64(len(keys)))
	return nil
}

// Refresh loads key now, fresh or not, backing off or not, and waits for it as Get does. It joins a load of the key
// that is in flight. It returns what Get returns for a key without a value; the value that was there stays when the
// load fails.
func (c *Cache[K, V]) Refresh(ctx context.Context, key K) error {
	got, shared, err := c.flights.DoShared(ctx, key, c.loader(key, c.load, nil))
	if err != nil {
		_, err = c.asRefusal(err)
		return err
	}
	if shared {
		link(ctx, got.span)
	}
	return got.err
}
