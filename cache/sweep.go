package cache

import (
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/maypok86/otter/v2"
)

const (
	shortestSweep = time.Second
	longestSweep  = 5 * time.Minute
)

// sweeper removes entries past their last usable moment. They are never served, whether it has come by or not; without
// it a cache that is seldom used would hold on to them until others need the room.
//
// It is a timer and not a goroutine: it is armed when an entry that will die is added and none is armed, runs, and is
// armed again while such entries are left. So an empty cache has nothing running, and a cache that is dropped is
// collected: the timer knows it by a weak pointer. Most entries are looked at twice or thrice in their life.
//
// Whoever adds an entry looks at armed after it, and a sweep clears armed before it looks at the entries: one of the
// two sees the other, so that no entry is left without a timer.
type sweeper[K comparable, V any] struct {
	interval time.Duration
	armed    atomic.Bool
	stopped  atomic.Bool

	mu sync.Mutex // held during a sweep, so that stop waits for it
}

// init chooses the interval: half of a value's life, within bounds.
func (s *sweeper[K, V]) init(l *lives) {
	s.interval = longestSweep
	dead := max(after(after(0, l.ttl), l.staleWhileRevalidate), after(after(0, l.ttl), l.staleIfError))
	if dead != never {
		s.interval = min(max(time.Duration(dead/2), shortestSweep), longestSweep)
	}
}

// arm sees to it that e, which was just added, will be swept.
func (s *sweeper[K, V]) arm(c *Cache[K, V], e *entry[V]) {
	if e == nil || e.deadAt == never || s.armed.Load() || s.stopped.Load() || !s.armed.CompareAndSwap(false, true) {
		return
	}
	cache := weak.Make(c)
	time.AfterFunc(s.interval, func() {
		if c := cache.Value(); c != nil {
			c.sweeper.sweep(c)
		}
	})
}

func (s *sweeper[K, V]) sweep(c *Cache[K, V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed.Store(false)
	now := c.clock.Now()
	var dying *entry[V] // one that is left for a later sweep
	for key, e := range c.entries.All() {
		switch {
		case s.stopped.Load():
			return
		case now >= e.deadAt:
			c.drop(key, e)
		case e.deadAt != never:
			dying = e
		}
	}
	s.arm(c, dying)
}

// drop removes a dead entry unless it was replaced meanwhile.
func (c *Cache[K, V]) drop(key K, dead *entry[V]) {
	c.entries.Compute(key, func(held *entry[V], _ bool) (*entry[V], otter.ComputeOp) {
		if held != dead {
			return nil, otter.CancelOp
		}
		c.cell.Add(wordExpired, 1)
		return nil, otter.InvalidateOp
	})
}

// stop ends sweeping and waits for a sweep that runs. A timer that is set is left to find nothing to do: it may belong
// to a testing/synctest bubble, outside of which it must not be stopped.
func (s *sweeper[K, V]) stop() {
	s.stopped.Store(true)
	s.mu.Lock()   // once it is free, no sweep runs or does any more than see that it is stopped
	s.mu.Unlock() //nolint:staticcheck // locked only to wait
}
