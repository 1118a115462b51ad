package pool

import (
	"fmt"
	"time"
)

// Resize sets how many tasks may run at once, 1 to [MaxWorkers]; another number is an error. It does not block.
//
// More workers start at once if tasks wait, else as tasks come. Too many leave: those that are idle at once, those that
// run a task when it has ended; no task is stopped. Until then, Stats tells more workers than the limit. After Close the
// pool may be resized too, which bears on how fast it drains.
func (p *Pool) Resize(workers int) error {
	if workers < 1 || workers > MaxWorkers {
		return fmt.Errorf("joist/pool: Resize to %d workers, but must be from 1 to %d", workers, MaxWorkers)
	}
	p.mu.Lock()
	p.limit = workers
	p.recall() // a worker that leaves has an empty hand
	surplus := p.dismiss(min(max(len(p.members)-workers, 0), len(p.idle)))
	var admitted callers
	p.admitAll(&admitted)
	w := p.rouse()
	p.mu.Unlock()
	for _, idle := range surplus {
		idle.roused <- false
	}
	admitted.tell(true)
	p.wake(w)
	return nil
}

// dismiss takes the n workers that have been idle longest off the count, and returns them to be told. It is called with
// the lock.
func (p *Pool) dismiss(n int) []*worker {
	if n == 0 {
		return nil
	}
	gone := append([]*worker(nil), p.idle[:n]...)
	rest := copy(p.idle, p.idle[n:])
	clear(p.idle[rest:])
	p.idle = p.idle[:rest]
	for _, w := range gone {
		p.part(w)
	}
	p.finish()
	return gone
}

// arm has shrink called after d, unless that is to happen already or workers stay. It is called with the lock.
func (p *Pool) arm(d time.Duration) {
	if p.armed || p.idleFor <= 0 || p.closed {
		return
	}
	p.armed = true
	if p.shrinking == nil {
		p.shrinking = time.AfterFunc(d, p.shrink)
	} else {
		p.shrinking.Reset(d)
	}
}

// shrink ends the workers that have been idle for long enough, and comes again when the next one will have been.
func (p *Pool) shrink() {
	p.mu.Lock()
	p.armed = false
	now := p.clock.Now()
	n := 0
	for n < len(p.idle) && now-p.idle[n].since >= int64(p.idleFor) {
		n++
	}
	gone := p.dismiss(n)
	if len(p.idle) > 0 {
		p.arm(time.Duration(p.idle[0].since + int64(p.idleFor) - now))
	}
	p.mu.Unlock()
	for _, w := range gone {
		w.roused <- false
	}
}

// size returns how many workers there may be.
func (p *Pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limit
}
