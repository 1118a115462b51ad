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
// The call of a load that nobody joins is the leader's alone once the answer is there: the leader hands it back to the
// shard, for the next load. Known says that somebody else may still look at it: one who joined, or the timer of the
// Timeout. A goroutine of its own does not look at the call after it has settled it with somebody waiting. The context is
// not part of the call, because the load may keep that.
// Channels are not kept either: one that is made within a testing/synctest bubble belongs to it, and a group need not.
//
// The answer is written once, before settled is set and done is closed. Waiters read it after either.
type call[K comparable, V any] struct {
	ctx  *loadContext
	key  K
	hash uint64

	// Of loads on a goroutine of their own. The two functions are bound once for all loads that the call is used for.
	group *Group[K, V]
	fn    func(context.Context) (V, error)
	start func() // run
	late  func() // expire

	// Guarded by the shard's lock.
	next     *call[K, V] // in its bucket, or among the strays
	listed   bool        // the shard has it under its key
	dying    bool
	settled  bool
	panicked bool // err is the panic of this load: its leader panics
	kept     bool // it outlives its waiters
	known    bool // others than its leader may still look at it
	waiters  int32
	done     chan struct{} // nil for a load that its leader runs, until somebody joins
	val      V
	err      error
}

func (c *call[K, V]) joinable() bool { return !c.dying && !c.ctx.ended.Load() }

// join adds a waiter and returns what it waits on.
func (c *call[K, V]) join() <-chan struct{} {
	c.waiters++
	c.known = true
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

// launch adds a load that is to run on a goroutine of its own, which begins with start, once it has
// its function. The shard is locked.
func (g *Group[K, V]) launch(ctx context.Context, s *shard[K, V], hash uint64, key K, displaced *call[K, V]) *call[K, V] {
	c := s.recycled()
	if c.start == nil {
		c.start, c.late = c.run, c.expire
	}
	c.group, c.hash, c.key, c.kept, c.done = g, hash, key, g.detached, make(chan struct{})
	if g.timeout > 0 {
		both := &struct { // in one piece
			loadContext
			limit
		}{limit: limit{deadline: time.Now().Add(g.timeout), err: g.expired, timer: time.AfterFunc(g.timeout, c.late)}}
		c.ctx = &both.loadContext
		c.ctx.limit = &both.limit
	} else {
		c.ctx = new(loadContext)
	}
	c.ctx.values = ctx
	s.add(c, displaced)
	return c
}

// run is the goroutine of a load.
func (c *call[K, V]) run() {
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
		c.group.end(c, v, err, value != nil)
	}()
	v, err = c.fn(c.ctx)
}

// end takes a load that has returned out of the table and gives the waiters its answer.
func (g *Group[K, V]) end(c *call[K, V], v V, err error, panicked bool) {
	timedOut, timerRuns := false, false
	if l := c.ctx.limit; l != nil {
		timerRuns = !l.timer.Stop()
		if !panicked {
			err, timedOut = l.judge(err)
		}
	}
	s := g.table.at(c.hash)
	s.mu.Lock()
	s.remove(c)
	unheard := c.settled || c.waiters == 0
	late, kept := c.settled, c.kept
	own := c.done == nil // its leader runs it, and nobody has joined
	if !late {
		c.known = c.known || timerRuns
		// From here on its leader may give the call away: it is looked at no more, but if nobody waits.
		c.settle(v, err, panicked)
		if timedOut {
			s.counts[wordTimeouts]++
		}
	}
	if panicked {
		s.counts[wordPanics]++
	}
	if unheard && (panicked || err != nil && kept && !late) {
		s.counts[wordUnheard]++
		s.mu.Unlock()
		g.tell(c, err, panicked, timedOut) // before the load stops to count as running, so that nothing is logged after Close
		s.mu.Lock()
	}
	if own {
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

// expire gives a load up at the group's Timeout, whether its function returns or not. It is called by the timer, and the
// call is not used again unless that was stopped before.
func (c *call[K, V]) expire() {
	g := c.group
	s := g.table.at(c.hash)
	s.mu.Lock()
	if c.settled {
		s.mu.Unlock()
		return
	}
	var none V
	s.stray(c)
	c.known = true
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
	v, err = c.val, c.err
	if !leader {
		return v, err
	}
	if c.panicked {
		panic(err)
	}
	if !c.known {
		s := g.table.at(c.hash)
		s.mu.Lock()
		s.recycle(c)
		s.mu.Unlock()
	}
	return v, err
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
