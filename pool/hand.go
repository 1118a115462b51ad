package pool

import (
	"slices"
	"sync/atomic"
)

// handful is how many small tasks a worker takes out of the queue at once.
const handful = 32

// hand holds the tasks that a worker has taken out of the queue and not begun: places from next to end, both in one word.
//
// A worker draws from its hand by moving next, without the pool's lock. Whoever has the lock may take what is left, by
// moving next to end. Both are a compare-and-swap of the word, so each task is had by one. The hand is filled by its
// worker, under the lock, when it is empty; so nobody writes a place that another may still read.
type hand struct {
	bounds atomic.Uint64 // next << 32 | end
	given  int           // how many tasks the worker took, 0 once they are known to be gone; guarded by the pool's lock
	fresh  bool          // it was filled since somebody last looked; likewise
	tasks  [handful]task
}

// left returns how many tasks are in the hand.
func (h *hand) left() int {
	bounds := h.bounds.Load()
	return int(uint32(bounds) - uint32(bounds>>32))
}

// draw takes the next task, or returns nil if there is none. It is called by the worker alone.
func (h *hand) draw() task {
	for {
		bounds := h.bounds.Load()
		next := bounds >> 32
		if next == bounds&(1<<32-1) {
			return nil
		}
		if h.bounds.CompareAndSwap(bounds, bounds+1<<32) {
			t := h.tasks[next%handful]
			h.tasks[next%handful] = nil
			return t
		}
	}
}

// takeAll takes all that is left. It is called with the pool's lock.
func (h *hand) takeAll() []task {
	for {
		bounds := h.bounds.Load()
		next, end := bounds>>32, bounds&(1<<32-1)
		if next == end {
			return nil
		}
		if h.bounds.CompareAndSwap(bounds, end<<32|end) {
			return h.tasks[next:end]
		}
	}
}

// deal fills the hand of a worker with the next n tasks. It is called with the lock, when the hand is empty.
func (p *Pool) deal(h *hand, n int) {
	for i := range h.tasks[:n] {
		h.tasks[i] = p.only.take()
	}
	if p.n -= n; n > 0 && p.n == 0 {
		p.ready.leave(&p.only)
	}
	h.given, h.fresh = n, n > 0
	p.dealt += n
	h.bounds.Store(uint64(n))
}

// share returns how many tasks a worker may take into its hand, beside the one that it runs at once: none while tasks may
// be slow, for they would wait for one another, nor while callers wait, which are to learn of each place, nor where tenants
// take turns.
func (p *Pool) share() int {
	if typical := p.typical.Get(); typical == 0 || typical >= slowTask || p.waits > 0 || p.fair {
		return 0
	}
	return min(p.n/p.limit, handful)
}

// recall puts the tasks of all hands back into the queue, so that it is whole. It is called with the lock.
func (p *Pool) recall() {
	for _, w := range p.members {
		if p.dealt == 0 {
			return
		}
		p.putDown(w)
	}
}

// audit looks at the hand of one worker, each in turn, and puts it back into the queue if its worker has not come for more
// since the last turn: the task that it runs is not as small as others. So a task in a hand waits for others for two rounds
// at most, and for none that lasts. It is called with the lock, by each worker that comes for tasks.
func (p *Pool) audit() {
	if p.dealt == 0 {
		return
	}
	p.audited = (p.audited + 1) % len(p.members)
	w := p.members[p.audited]
	if !w.fresh {
		p.putDown(w)
	}
	w.fresh = false
}

// putDown puts what is left in the hand of a worker back into the queue.
func (p *Pool) putDown(w *worker) {
	if w.hand.given == 0 {
		return
	}
	p.dealt -= w.hand.given
	w.hand.given = 0
	left := w.hand.takeAll()
	for _, t := range slices.Backward(left) {
		p.requeue(&p.only, t)
	}
	clear(left)
}
