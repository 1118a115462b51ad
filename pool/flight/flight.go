package flight

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/internal/telemetry"
)

// Group lets calls for the same key that overlap in time share one load. It is made with [New], safe for concurrent
// use, and must not be copied. K is the type of the keys, V of the answers. Answers are handed to all callers as they
// are, so that what they point to is shared.
//
// Keys are compared with ==. A key that is not equal to itself, such as a NaN, shares nothing.
type Group[K comparable, V any] struct {
	name     string
	detached bool
	timeout  time.Duration // 0: none
	table    *table[K, V]
	refusal  *ClosedError
	expired  *TimeoutError
	log      *telemetry.Log

	closing sync.Once
	busy    atomic.Int64  // shards with loads running, once closed
	idle    chan struct{} // closed when the group is and no load is running
}

// Do returns what fn returns, or what the load of the same key that is in flight does. See [Group.DoShared], which
// also says which of the two it was.
func (g *Group[K, V]) Do(ctx context.Context, key K, fn func(context.Context) (V, error)) (V, error) {
	v, _, err := g.DoShared(ctx, key, fn)
	return v, err
}

// DoShared calls fn unless a load of the same key is in flight, waits for the answer and returns it. The call that
// starts the load is its leader; others that come before it ends share its answer, and for them shared is true. A call
// is never answered by a load that had ended before the call began.
//
// It blocks until the load ends or ctx does. When ctx ends first it returns ctx.Err() at once and the load goes on for
// those who still wait. When ctx has ended before, nothing is started or joined.
//
// The context of fn has the values of the leader's ctx and neither its deadline nor its cancellation. It is cancelled
// when the last waiter has left, with the error of that waiter as its [context.Cause], unless the group is Detached;
// a call that comes after that starts a load of its own. It also ends at the group's Timeout, when Close gives up, and
// when fn has returned.
//
// Errors other than those of fn: ctx.Err(); a [*TimeoutError] when the load exceeds the Timeout; a [*ClosedError] when
// a load would have to be started after Close; [ErrGoexit]; and, for all but the leader, a [*PanicError]. A leader that
// still waits panics with it.
//
// When ctx can never be cancelled and the group has no Timeout, a leader runs fn on its own goroutine: a panic of fn
// unwinds it with its original value, and a [runtime.Goexit] ends it. Else fn runs on a goroutine of its own.
//
// fn may use the group for other keys. A call of fn for its own key waits for itself until its ctx ends.
//
// A leader that runs fn itself costs 1 allocation, one that does not 2, or 3 in a group with a Timeout, and some more if
// the load asks for its context's Done. Joining costs none, but for the first to join a load that its leader runs: 1. A
// load that was joined or left costs the next one up to 3 more.
func (g *Group[K, V]) DoShared(ctx context.Context, key K, fn func(context.Context) (V, error)) (v V, shared bool, err error) {
	quit := ctx.Done()
	if quit != nil {
		if err := ctx.Err(); err != nil {
			return v, false, err
		}
	}
	hash := g.table.hash(key)
	s := g.table.at(hash)
	s.mu.Lock()
	c := s.find(hash, key)
	if c != nil && c.joinable() {
		done := c.join()
		s.counts[wordShared]++
		s.mu.Unlock()
		v, err = g.wait(ctx, quit, c, done, false)
		return v, true, err
	}
	if s.closed {
		s.mu.Unlock()
		return v, false, g.refuse(ctx)
	}
	if quit == nil && g.timeout == 0 {
		displaced := c
		c = s.recycled()
		c.ctx, c.hash, c.key, c.waiters, c.kept = &loadContext{values: ctx}, hash, key, 1, g.detached
		s.add(c, displaced)
		s.mu.Unlock()
		v, err = g.lead(c, fn)
		return v, false, err
	}
	c = g.launch(ctx, s, hash, key, c)
	c.fn, c.waiters = fn, 1
	s.mu.Unlock()
	go c.start()
	v, err = g.wait(ctx, quit, c, c.done, true)
	return v, false, err
}

// Go starts a load unless one of the same key is in flight, and does not wait for it: a refresh in the background. It
// returns whether it started one; after Close it does not. Calls of Do for the key join the load.
//
// The context of fn has the values of ctx alone, and the load is not cancelled for want of waiters, in a group that is
// not Detached too. A Timeout of the group ends it as it does others. When nobody waits for it at its end, an error or
// a panic is counted in Stats.Unheard and told to the Logger.
func (g *Group[K, V]) Go(ctx context.Context, key K, fn func(context.Context) (V, error)) bool {
	hash := g.table.hash(key)
	s := g.table.at(hash)
	s.mu.Lock()
	c := s.find(hash, key)
	if s.closed || c != nil && c.joinable() {
		s.mu.Unlock()
		return false
	}
	c = g.launch(ctx, s, hash, key, c)
	c.fn, c.kept = fn, true
	s.mu.Unlock()
	go c.start()
	return true
}

// Forget makes the next call for key start a load of its own. A load in flight goes on and answers those who wait for
// it. Forget does not block and is no error when nothing is in flight.
func (g *Group[K, V]) Forget(key K) {
	hash := g.table.hash(key)
	s := g.table.at(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.find(hash, key); c != nil {
		s.stray(c)
	}
}
