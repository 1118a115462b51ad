package breaker

import (
	"bytes"
	"sync"
)

// callWindow holds the outcomes of the last n calls, exactly: each call evicts the oldest. It takes one byte for each, and a
// mutex that is held for some nanoseconds. Of an outcome only the bits for failed and slow are kept.
type callWindow struct {
	limits *limits

	mu    sync.Mutex // guards all below; nothing is locked inside it
	tag   uint64     // low bits of the breaker's generation
	ring  []byte
	next  int             // where the next outcome goes, in the place of the oldest
	calls int64           // in the ring, at most its length
	held  [outcomes]int64 // how many of them had each outcome
	left  [outcomes]int64 // how many had each outcome that are not in the ring any more, or never were
}

func newCallWindow(n int, l *limits) *callWindow {
	return &callWindow{limits: l, ring: make([]byte, n)}
}

// add counts one outcome, as window.add does.
func (w *callWindow) add(tag uint64, o outcome) (landed, suspect bool) {
	w.mu.Lock()
	if w.tag != tag {
		w.mu.Unlock()
		return false, false
	}
	w.push(o)
	bad := w.held[failure] | w.held[slow] | w.held[slow|failure]
	suspect = bad != 0 && w.limits.exceeded(w.count())
	w.mu.Unlock()
	return true, suspect
}

// push puts an outcome in the place of the oldest. The caller holds mu.
func (w *callWindow) push(o outcome) {
	at := &w.ring[w.next]
	if w.next++; w.next == len(w.ring) {
		w.next = 0
	}
	oldest := outcome(*at)
	switch {
	case w.calls < int64(len(w.ring)):
		w.calls++
	case oldest == o: // mostly: one success for another
		w.left[o%outcomes]++
		return
	default:
		w.left[oldest%outcomes]++
		w.held[oldest%outcomes]--
	}
	*at = byte(o)
	w.held[o%outcomes]++
}

// count is census without the lock.
func (w *callWindow) count() census {
	both := w.held[slow|failure]
	return census{w.calls, w.held[failure] + both, w.held[slow] + both}
}

func (w *callWindow) census(tag uint64) census {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tag != tag {
		return census{}
	}
	return w.count()
}

// amend turns the latest outcome of a kind into a failure where it stands. If there is none in the window any more, the
// failure comes in as a call.
func (w *callWindow) amend(tag uint64, from outcome) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tag != tag {
		return false
	}
	to := from | failure
	if place := w.latest(from); place >= 0 {
		w.ring[place] = byte(to)
		w.held[from]--
		w.held[to]++
	} else {
		w.left[from]--
		w.push(to)
	}
	return true
}

// latest returns the place of the latest outcome of a kind, or -1. The caller holds mu.
func (w *callWindow) latest(o outcome) int {
	if place := bytes.LastIndexByte(w.ring[:w.next], byte(o)); place >= 0 {
		return place
	}
	if w.calls < int64(len(w.ring)) {
		return -1 // nothing is behind next
	}
	if place := bytes.LastIndexByte(w.ring[w.next:], byte(o)); place >= 0 {
		return w.next + place
	}
	return -1
}

func (w *callWindow) reset(tag uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for o, n := range w.held {
		w.left[o] += n
	}
	w.tag, w.next, w.calls, w.held = tag, 0, 0, [outcomes]int64{}
}

func (w *callWindow) fold(o outcome, n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left[o] += n
}

func (w *callWindow) total(o outcome) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o == slow {
		return w.left[slow] + w.held[slow] + w.left[slow|failure] + w.held[slow|failure]
	}
	return w.left[o] + w.held[o]
}
