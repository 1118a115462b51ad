package bulkhead

import (
	"sync"
	"sync/atomic"
	"time"
)

// queue holds the calls that wait for a slot, by class. Everything but length is guarded by mu; length is written
// under mu and read anywhere.
//
// Slots that are free while calls wait are handed on under mu, by whoever could have made one free: a call that leaves,
// a slot that is given back unused, a change of the limit, and a call that joins. A call sets the flag of slots.word before
// it looks whether there is room, and the others look at the flag after they have made room: so one of the two sees the
// other, and no slot stays free beside a waiter.
//
// The order is first in, first out, until the queue has not been empty for a whole interval. Then it is overloaded, and
// the newest come first: they can still be answered in time. Who joins an overloaded queue waits for no longer than the
// target, unless it is the next in turn, which is never sent away so that no slot waits for a call.
type queue struct {
	mu       sync.Mutex
	classes  [classes]line // the lowest first
	length   atomic.Int64
	standing int64 // since when the queue is not empty

	// What follows is not changed.
	max      int64
	maxWait  time.Duration // or Unlimited
	target   time.Duration
	interval time.Duration // or NoCoDel
}

// waiter is a call in the queue.
type waiter struct {
	prev, next *waiter
	class      int
	since      int64
	place      place         // guarded by the queue's lock until decided is closed
	decided    chan struct{} // closed when the place is no longer queued
}

// place is where a waiter is.
type place uint8

const (
	queued    place = iota
	admitted        // it has a slot
	displaced       // by a call of more worth
	gone            // left by itself
)

// line is the queue of one class, the oldest at the front.
type line struct {
	front, back *waiter
	length      int64
}

func (l *line) push(w *waiter) {
	l.length++
	w.prev = l.back
	if l.back == nil {
		l.front = w
	} else {
		l.back.next = w
	}
	l.back = w
}

func (l *line) remove(w *waiter) {
	l.length--
	if w.prev == nil {
		l.front = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.back = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
}

// overloaded tells whether the queue stands for a whole interval.
func (q *queue) overloaded(now int64) bool {
	return q.interval != NoCoDel && q.length.Load() > 0 && now-q.standing >= int64(q.interval)
}

// turn returns who is next.
func (q *queue) turn(overloaded bool) *waiter {
	for c := len(q.classes) - 1; c >= 0; c-- {
		if w := q.classes[c].front; w != nil {
			if overloaded {
				return q.classes[c].back
			}
			return w
		}
	}
	return nil
}

// last returns who of the classes up to highest would be next after all others.
func (q *queue) last(highest int, overloaded bool) *waiter {
	for c := range highest + 1 {
		if w := q.classes[c].back; w != nil {
			if overloaded {
				return q.classes[c].front
			}
			return w
		}
	}
	return nil
}

// ahead returns how many calls a newcomer of a class has before it.
func (q *queue) ahead(class int, overloaded bool) (n int64) {
	first := class
	if overloaded {
		first++
	}
	for c := first; c < len(q.classes); c++ {
		n += q.classes[c].length
	}
	return n
}

func (q *queue) push(w *waiter) {
	if q.length.Add(1) == 1 {
		q.standing = w.since
	}
	q.classes[w.class].push(w)
}

// decide takes w from the queue.
func (q *queue) decide(w *waiter, p place) {
	q.classes[w.class].remove(w)
	q.length.Add(-1)
	w.place = p
	close(w.decided)
}
