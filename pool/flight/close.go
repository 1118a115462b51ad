package flight

import (
	"context"
	"fmt"
)

// Close refuses new loads from now on and waits for those that are running. Calls still join a load in flight. It
// returns nil once all loads have returned, those included that nobody waits for any more.
//
// When ctx ends before that, Close cancels the contexts of the loads that are running, with [ErrClosed] as their
// [context.Cause], waits no longer, and returns an error that tells how many there are, in which errors.Is finds
// ctx.Err(). Nobody joins those loads from then on, and those who wait for one get what it makes of the cancellation. A
// load that runs on regardless keeps its goroutine until it returns.
//
// Close may be called again and from several goroutines: each call waits as its own ctx allows. A load that calls
// Close waits for itself until ctx ends.
func (g *Group[K, V]) Close(ctx context.Context) error {
	g.closing.Do(g.shut)
	select {
	case <-g.idle:
		return nil
	default:
	}
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
	}
	if n := g.abort(); n > 0 {
		return fmt.Errorf("joist/flight: close of %q: %d loads cancelled and still running: %w", g.name, n, ctx.Err())
	}
	return nil
}

// shut closes the shards. One unit of busy is its own, so that idle is not closed before all shards are.
func (g *Group[K, V]) shut() {
	g.busy.Store(1)
	for i := range g.table.shards {
		s := &g.table.shards[i]
		s.mu.Lock()
		s.closed = true
		if s.running > 0 {
			g.busy.Add(1)
		}
		s.mu.Unlock()
	}
	g.drained()
}

// drained is called once for each shard that was busy when it closed, when its last load has returned.
func (g *Group[K, V]) drained() {
	if g.busy.Add(-1) == 0 {
		close(g.idle)
	}
}

// abort cancels what is running and returns how many loads that are.
func (g *Group[K, V]) abort() (running int64) {
	for i := range g.table.shards {
		for _, ctx := range g.table.shards[i].doom(&running) {
			ctx.cancel(ErrClosed)
		}
	}
	return running
}

// doom marks all loads of the shard as dying and returns their contexts.
func (s *shard[K, V]) doom(running *int64) []*loadContext {
	s.mu.Lock()
	defer s.mu.Unlock()
	*running += s.running
	var doomed []*loadContext
	for _, c := range s.buckets {
		for ; c != nil; c = c.next {
			c.dying = true
			doomed = append(doomed, c.ctx)
		}
	}
	for c := s.strays; c != nil; c = c.next {
		doomed = append(doomed, c.ctx)
	}
	return doomed
}
