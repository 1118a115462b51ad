package pool

import (
	"runtime"
	"runtime/debug"
	"time"
)

// patience is how often a worker without a task, or a caller without a place, lets others run and looks again before it
// sleeps. To sleep and be woken costs many times as much as to look.
const patience = 4

// crew is the workers of a pool, each of which is busy, searching or idle. All of it is guarded by the pool's lock.
type crew struct {
	limit     int       // how many workers there may be
	members   []*worker // all there are, in no order
	busy      int       // run a task
	searching int       // look for a task, or have been started or woken to do so
	idle      []*worker // sleep; the longest idle first, the next to be woken last
	dealt     int       // tasks that were dealt to hands and may still be there
	audited   int       // the member whose hand was looked at last

	shrinking *time.Timer // ends workers that are idle for too long
	armed     bool
}

// worker is a goroutine that runs tasks, and its successor when a task ended it.
type worker struct {
	hand
	roused  chan bool // wakes it, with false to leave; holds one
	started bool
	busy    bool
	since   int64 // when it fell asleep
	index   int   // in members
}

// join and part keep members.
func (c *crew) join(w *worker) {
	w.index = len(c.members)
	c.members = append(c.members, w)
}

func (c *crew) part(w *worker) {
	last := len(c.members) - 1
	c.members[w.index] = c.members[last]
	c.members[w.index].index = w.index
	c.members[last] = nil
	c.members = c.members[:last]
}

// rouse makes sure that somebody looks for the tasks that wait, if the limit allows. It returns a worker to wake, which
// is counted as searching, or nil. It is called with the lock.
func (p *Pool) rouse() *worker {
	if p.searching > 0 || p.n+p.dealt == 0 {
		return nil
	}
	if last := len(p.idle) - 1; last >= 0 {
		w := p.idle[last]
		p.idle[last] = nil
		p.idle = p.idle[:last]
		p.searching++
		return w
	}
	if len(p.members) >= p.limit {
		return nil
	}
	w := &worker{roused: make(chan bool, 1)}
	p.join(w)
	p.searching++
	return w
}

// wake wakes or starts a worker that rouse returned. It is called without the lock.
func (p *Pool) wake(w *worker) {
	switch {
	case w == nil:
	case w.started:
		w.roused <- true
	default:
		w.started = true
		go p.work(w)
	}
}

// work is a worker: it runs what comes until it may leave.
//
// A task costs no defer of its own. One whose function panics or ends its goroutine unwinds the worker, which goes on in
// a new goroutine. A panic that nobody takes is not recovered: it ends the process with the stack it has.
func (p *Pool) work(w *worker) {
	var t task
	defer func() {
		if t == nil {
			return
		}
		defer func() { go p.work(w) }() // deferred: OnPanic may end the goroutine too
		if !t.takesPanic(p) {
			p.count(wordGoexit) // or a panic, but then nobody counts any more
			return
		}
		if value := recover(); value != nil {
			t.broke(p, value, debug.Stack())
		} else {
			t.broke(p, nil, nil)
		}
	}()
	for {
		if t = w.draw(); t == nil {
			if t = p.search(w); t == nil {
				return
			}
		}
		t.run(p)
		t = nil // an idle worker holds nothing of its last task
	}
}

// search waits for a task, for a worker that has none in its hand. It returns nil if the worker is to leave.
func (p *Pool) search(w *worker) task {
	p.mu.Lock()
	if w.busy {
		w.busy = false
		p.busy--
		p.searching++
		p.putDown(w)
	}
	p.audit()
	for looks := 0; ; looks++ {
		if len(p.members) > p.limit {
			return p.leaveCrew(w)
		}
		if looks == patience {
			p.recall()
		}
		var admitted callers
		p.admitAll(&admitted)
		if p.n > 0 {
			t := p.take()
			p.deal(&w.hand, p.share())
			w.busy = true
			p.searching--
			p.busy++
			if p.fair {
				p.admitAll(&admitted) // a tenant with one task less may have one more
			}
			other := p.rouse()
			p.mu.Unlock()
			admitted.tell(true)
			p.wake(other)
			return t
		}
		if p.closed && p.dealt == 0 {
			return p.leaveCrew(w)
		}
		if looks == patience {
			if !p.sleep(w) {
				return nil
			}
			looks = 0
			continue
		}
		p.mu.Unlock()
		runtime.Gosched()
		p.mu.Lock()
	}
}

// sleep makes a worker that found nothing idle until it is woken. It returns false if it is to leave, and is off the
// count then. It is called with the lock, and holds it again when it returns true.
func (p *Pool) sleep(w *worker) bool {
	w.since = p.clock.Now()
	p.searching--
	p.idle = append(p.idle, w)
	p.arm(p.idleFor)
	p.mu.Unlock()
	if !<-w.roused {
		return false
	}
	p.mu.Lock()
	return true
}

// leaveCrew takes a searching worker off the count, of which there are too many or for which there is nothing to come. It
// need not see to others: while there are too many workers, none is idle. It is called with the lock, and releases it. It
// returns nil.
func (p *Pool) leaveCrew(w *worker) task {
	p.searching--
	p.part(w)
	p.finish()
	p.mu.Unlock()
	return nil
}
