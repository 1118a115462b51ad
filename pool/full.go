package pool

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/joist-go/joist/internal/telemetry"
)

// callers is a chain of callers to be told.
type callers struct{ first, last *caller }

// tell wakes the callers of a chain: with true they have a place, else the pool is closed. It is called without the lock.
func (cs *callers) tell(admitted bool) {
	for c := cs.first; c != nil; {
		next := c.next // c is not ours once it knows
		c.next = nil
		c.admitted <- admitted
		c = next
	}
}

// admitAll gives places to the callers that may have one now, and adds them to cs. It is called with the lock.
func (p *Pool) admitAll(cs *callers) {
	for p.waits > 0 {
		c := p.admit(p.places())
		if c == nil {
			return
		}
		cs.add(c)
	}
}

func (cs *callers) add(c *caller) {
	if cs.first == nil {
		cs.first = c
	} else {
		cs.last.next = c
	}
	cs.last = c
}

// hangUp takes a caller away that waits for a place.
func (p *Pool) hangUp(c *caller) {
	l := c.lane
	p.answer(c)
	p.forget(l)
}

// noRoom is the slow path of add: there is no place now. It is called with the lock, and releases it.
func (p *Pool) noRoom(ctx context.Context, t task, s *seat, policy WhenFull, l *lane) error {
	switch policy {
	case CallerRuns, lend:
		p.forget(l)
		p.here++
		p.mu.Unlock()
		if policy == CallerRuns {
			p.runHere(t)
		} else {
			p.runBeside(t)
		}
		return nil
	case Reject:
		full := p.full(nil)
		p.forget(l)
		p.mu.Unlock()
		return p.refuseFull(ctx, full)
	}
	c := p.call(l, p.sample(ctx, t), s)
	p.mu.Unlock()

	admitted, err := p.await(ctx, c)
	switch {
	case err == nil && admitted:
		return nil
	case err == nil:
		return p.refuseClosed()
	case errors.Is(err, context.DeadlineExceeded):
		p.mu.Lock()
		full := p.full(err)
		p.mu.Unlock()
		return p.refuseFull(ctx, full)
	}
	p.count(wordCancelled)
	return err
}

// await waits until c is admitted to a place or the pool is closed. It returns ctx.Err() when ctx ended before that.
func (p *Pool) await(ctx context.Context, c *caller) (admitted bool, err error) {
	for range patience {
		select {
		case admitted = <-c.admitted:
			return p.told(c, admitted)
		default:
			runtime.Gosched()
		}
	}
	select {
	case admitted = <-c.admitted:
		return p.told(c, admitted)
	case <-ctx.Done():
	}
	p.mu.Lock()
	if c.lane == nil { // told already
		p.mu.Unlock()
		return p.told(c, <-c.admitted)
	}
	p.hangUp(c)
	p.again(c)
	p.mu.Unlock()
	return false, ctx.Err()
}

// told keeps c for the next call that has to wait.
func (p *Pool) told(c *caller, admitted bool) (bool, error) {
	p.mu.Lock()
	p.again(c)
	p.mu.Unlock()
	return admitted, nil
}

func (p *Pool) refuseFull(ctx context.Context, full *FullError) error {
	telemetry.Event(ctx, "joist.pool.full", p.name)
	p.count(wordRejected)
	return full
}

// full tells how full the pool is. It is called with the lock.
func (p *Pool) full(cause error) *FullError {
	rounds := max(float64(p.cap)/float64(p.limit), 1)
	wait := min(float64(p.typical.Get())*rounds, float64(maxHint))
	return &FullError{Name: p.name, Workers: p.limit, Queue: p.cap, Wait: time.Duration(wait), Cause: cause}
}

// maxHint bounds a hint: nobody knows what a queue does in a day.
const maxHint = 24 * time.Hour
