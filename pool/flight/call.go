package flight

import (
	"context"
	"errors"
	"time"
)

// call is one load: from its start, under the lock of its shard, to the return of its function.
//
// Its stages, all but the first step of the last taken under the lock:
//
//	listed ──▶ dying     the last waiter left a load that does not outlive its waiters, or Close gave up: its context
//	   │         │       is cancelled, nobody joins it, the next call takes its place
//	   ├─────────┴──▶ stray     not listed any more, running still: forgotten, displaced, or timed out
//	   ▼                 │
//	ended ◀──────────────┘      its function has returned (an atomic in ctx, set before the lock is asked for, so that no
//	   │                        call which begins after it joins, however long the lock takes)
//	   ▼
//	settled                     the answer stands and done is closed: at the end, or before it at the Timeout
//
// A load that its leader runs and that nobody joins has a call that only the table and the leader know: the shard keeps
// it for the next such load. The context is not part of it, because the load may keep that.
// Channels are not kept either: one that is made within a testing/synctest bubble belongs to it, and a group need not.
//
// The answer is written once, before settled is set and done is closed. Waiters read it after either.
type call[K comparable, V any] struct {
	ctx  *loadContext
	key  K
	hash uint64

	// Guarded by the shard's lock.
	next     *call[K, V] // in its bucket, or among the strays
	listed   bool        // the shard has it under its key
	dying    bool
	settled  bool
	panicked bool // err is the panic of this load: its leader panics
	kept     bool // it outlives its waiters
	waiters  int32
	done     chan struct{} // nil for a load that its leader runs, until somebody joins
	val      V
	err      error
}

func (c *call[K, V]) joinable() bool { return !c.dying && !c.ctx.ended.Load() }

// join adds a waiter and returns what it waits on.
func (c *call[K, V]) join() <-chan struct{} {
	c.waiters++
	if c.done == nil {
		c.done = make(chan struct{})
	}
	return c.done
}

// settle gives the waiters their answer.
func (c *call[K, V]) settle(v V, err error, panicked bool) {
	c.settled = true
	if c.done != nil {
		c.val, c.err, c.panicked = v, err, panicked
		close(c.done)
	}
}

// lead runs a load on the goroutine of its leader, which cannot leave.
func (g *Group[K, V]) lead(c *call[K, V], fn func(context.Context) (V, error)) (v V, err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		c.ctx.end()
		// Nothing of the load's stack is unwound yet: panicking again from here leaves value and stack as they were.
		if value := recover(); value != nil {
			g.end(c, v, newPanicError(value), true)
			panic(value)
		}
		err = ErrGoexit
		g.end(c, v, err, false)
	}()
	v, err = fn(c.ctx)
	returned = true
	c.ctx.end()
	g.end(c, v, err, false)
	return v, err
}

// launch adds a load that is to run on a goroutine of its own. The shard is locked.
func (g *Group[K, V]) launch(ctx context.Context, s *shard[K, V], hash uint64, key K, displaced *call[K, V]) *call[K, V] {
	both := &struct { // in one piece
		call[K, V]
		own loadContext
	}{call: call[K, V]{hash: hash, key: key, done: make(chan struct{}), kept: g.detached}, own: loadContext{values: ctx}}
	c := &both.call
	c.ctx = &both.own
	if g.timeout > 0 {
		c.ctx.limit = &limit{
			deadline: time.Now().Add(g.timeout),
			err:      g.expired,
			timer:    time.AfterFunc(g.timeout, func() { g.expire(c) }),
		}
	}
	s.add(c, displaced)
	return c
}

// run is the goroutine of a load.
func (g *Group[K, V]) run(c *call[K, V], fn func(context.Context) (V, error)) {
	var (
		v   V
		err = ErrGoexit // unless fn returns or panics
	)
	defer func() {
		c.ctx.end()
		value := recover()
		if value != nil {
			err = newPanicError(value)
		}
		g.end(c, v, err, value != nil)
	}()
	v, err = fn(c.ctx)
}

// end takes a load that has returned out of the table and gives the waiters its answer.
func (g *Group[K, V]) end(c *call[K, V], v V, err error, panicked bool) {
	timedOut := false
	if l := c.ctx.limit; l != nil {
		l.timer.Stop()
		if !panicked {
			err, timedOut = l.judge(err)
		}
	}
	s := g.table.at(c.hash)
	s.mu.Lock()
	s.remove(c)
	unheard := c.settled || c.waiters == 0
	late := c.settled
	if !late {
		c.settle(v, err, panicked)
		if timedOut {
			s.counts[wordTimeouts]++
		}
	}
	if panicked {
		s.counts[wordPanics]++
	}
	if unheard && (panicked || err != nil && c.kept && !late) {
		s.counts[wordUnheard]++
		s.mu.Unlock()
		g.tell(c, err, panicked, timedOut) // before the load stops to count as running, so that nothing is logged after Close
		s.mu.Lock()
	}
	if c.done == nil {
		s.recycle(c)
	}
	drained := s.done()
	s.mu.Unlock()
	if drained {
		g.drained()
	}
}

const timedOutUnheard = "load timed out with nobody waiting for it"

// tell logs a failure that no caller sees.
func (g *Group[K, V]) tell(c *call[K, V], err error, panicked, timedOut bool) {
	cause := "load failed with nobody waiting for it"
	switch {
	case panicked:
		cause = "load panicked with nobody waiting for it"
	case timedOut:
		cause = timedOutUnheard
	}
	g.log.Warn(c.ctx.values, cause, err)
}

// expire gives a load up at the group's Timeout, whether its function returns or not.
func (g *Group[K, V]) expire(c *call[K, V]) {
	s := g.table.at(c.hash)
	s.mu.Lock()
	if c.settled {
		s.mu.Unlock()
		return
	}
	var none V
	s.stray(c)
	c.settle(none, c.ctx.limit.err, false)
	s.counts[wordTimeouts]++
	unheard := c.waiters == 0 && c.kept
	if unheard {
		s.counts[wordUnheard]++
		s.running++ // until it is logged
	}
	s.mu.Unlock()
	c.ctx.make() // past its deadline: ended, if its own timer has not done so
	if !unheard {
		return
	}
	g.log.Warn(c.ctx.values, timedOutUnheard, c.ctx.limit.err)
	s.mu.Lock()
	drained := s.done()
	s.mu.Unlock()
	if drained {
		g.drained()
	}
}

// wait returns the answer of a load, or ctx.Err() when ctx ends before there is one.
func (g *Group[K, V]) wait(ctx context.Context, quit <-chan struct{}, c *call[K, V], done <-chan struct{}, leader bool) (v V, err error) {
	if quit == nil {
		<-done
	} else {
		select {
		case <-done:
		case <-quit:
			if g.leave(ctx, c) {
				return v, ctx.Err()
			}
		}
	}
	if leader && c.panicked {
		panic(c.err)
	}
	return c.val, c.err
}

// leave takes a waiter away, unless its answer is there. The last to leave a load that does not outlive its waiters
// cancels it.
func (g *Group[K, V]) leave(ctx context.Context, c *call[K, V]) bool {
	s := g.table.at(c.hash)
	s.mu.Lock()
	if c.settled {
		s.mu.Unlock()
		return false
	}
	c.waiters--
	abandoned := c.waiters == 0 && !c.kept
	if abandoned {
		c.dying = true
	}
	s.mu.Unlock()
	if abandoned {
		c.ctx.cancel(reason(ctx))
	}
	return true
}

// reason returns why ctx has ended: its error, joined with its cause where that says something else.
func reason(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return errors.Join(err, cause)
}
