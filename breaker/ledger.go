package breaker

import (
	"runtime"
	"sync"
)

// ledger is the telemetry source of a Keyed: the tallies of its breakers, of those that were dropped, and what is left
// of those that were collected. It does not point to the Keyed. A dropped breaker whose permits somebody still has, or
// that somebody kept, goes on counting: its tally stays until the garbage collector has found it.
type ledger struct {
	overflow *tally

	mu      sync.Mutex
	seats   []*tally // of the breakers that the Keyed has, in its order
	dropped map[*tally]struct{}
	folded  [sourceWords]int64
}

// seat notes that a breaker took a place, from another that was dropped if that is not nil.
func (l *ledger) seat(place int, dropped, b *Breaker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if dropped == nil {
		l.seats = append(l.seats, b.tally)
		return
	}
	if l.dropped == nil {
		l.dropped = make(map[*tally]struct{})
	}
	l.dropped[dropped.tally] = struct{}{}
	l.seats[place] = b.tally
	runtime.AddCleanup(dropped, l.fold, dropped.tally)
}

// fold keeps the totals of a breaker that was dropped and collected.
func (l *ledger) fold(t *tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.dropped, t)
	for word := range l.folded {
		l.folded[word] += t.Total(word)
	}
}

// Total implements telemetry.Source.
func (l *ledger) Total(word int) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := l.folded[word] + l.overflow.Total(word)
	for _, t := range l.seats {
		sum += t.Total(word)
	}
	for t := range l.dropped {
		sum += t.Total(word)
	}
	return sum
}
