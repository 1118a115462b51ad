package breaker

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/joist-go/joist/internal/clock"
)

const (
	buckets = 10 // of a time window

	countBits  = 24
	countMax   = 1<<countBits - 1
	failedUnit = 1
	okUnit     = 1 << countBits
	tagShift   = 2 * countBits

	never = math.MinInt64/2 + 4 // an epoch before all others, from which one can subtract; a multiple of buckets
)

// timeWindow counts the outcomes of the last ten spans, lock-free, and the totals of what has left it.
//
// Each of the ten buckets is a word for each stripe, so that goroutines that run at the same time do not fight over one. A
// word is changed by compare-and-swap only:
//
//	bits 63–48  tag: the low bits of the breaker's generation
//	bits 47–24  successes
//	bits 23–0   failures
//
// Where slow calls are told apart, they have ten words of their own, so that the others change one word as before.
//
// epoch numbers the current bucket, which is word epoch mod 10 of each stripe and covers the clock readings from epoch × span up to
// (epoch+1) × span. The first caller past its end turns the window: holding turning, it empties the buckets whose time
// has passed, and then moves epoch. Others do not wait for it: who finds turning taken, or comes with an older
// reading, counts in the bucket that epoch names, which is in the window still. So an outcome may stand in the bucket
// before its own, by as long as a turn takes.
//
// reset gives all words a new tag, so that an outcome of an earlier generation cannot land, not even when its goroutine
// was held up between looking at the breaker's state and counting.
//
// Whoever takes counts out of a word adds them to the totals only afterwards, and total reads the totals first and the
// words second. So a total may be short for a moment, and counts nothing twice.
type timeWindow struct {
	span  int64        // nanoseconds per bucket
	epoch atomic.Int64 // changed under turning
	// lastBad is the epoch of the latest outcome that was failed or slow. Once that has left the window, a success cannot
	// trip the breaker, and need not sum the buckets to find out.
	lastBad atomic.Int64
	// settled is the bucket in which the sum was found to reach MinCalls with ratios that do not trip. Until the
	// window turns, only what is failed or slow can change that.
	settled atomic.Uint64
	quick   lane
	slow    *lane // nil unless slow calls are told apart

	turning sync.Mutex // held for a turn or a reset, never while anything else runs
}

// init makes an empty window whose current bucket is the one of now.
func (w *timeWindow) init(span, now int64, striped, tellSlow bool) {
	w.span = span
	if striped {
		w.quick.stripe()
	}
	w.epoch.Store(clock.FloorDiv(now, span))
	w.lastBad.Store(never)
	w.settled.Store(settledKey(-1, tagMask)) // not the key of generation 0
	if tellSlow {
		w.slow = new(lane)
		if striped {
			w.slow.stripe()
		}
	}
}

// add counts one outcome, as window.add does. It is suspect unless it is a success that cannot trip a breaker: one that
// has seen nothing else, or one whose sum is known.
func (w *timeWindow) add(now int64, tag uint64, o outcome) (landed, suspect bool) {
	epoch := w.epoch.Load()
	if !w.covers(epoch, now) {
		epoch = w.turn(now)
	}
	l, unit := &w.quick, uint64(okUnit)
	if o != success {
		w.note(epoch)
		l, unit = w.place(o), unitOf(o)
	}
	word := l.word(epoch)
	for {
		old := word.Load()
		switch {
		case old>>tagShift != tag:
			return false, false
		case old&countMax == countMax || old>>countBits&countMax == countMax:
			w.halve(epoch, tag)
		case word.CompareAndSwap(old, old+unit):
			if epoch-w.lastBad.Load() >= buckets {
				return true, false
			}
			return true, o != success || w.settled.Load() != settledKey(epoch, tag)
		}
	}
}

// halve makes room in a bucket that is full and keeps its ratios: those of the quick to the slow, too.
func (w *timeWindow) halve(epoch int64, tag uint64) {
	w.quick.halve(epoch, tag)
	if w.slow != nil {
		w.slow.halve(epoch, tag)
	}
}

// place returns where an outcome is counted, and unitOf as what.
func (w *timeWindow) place(o outcome) *lane {
	if o&slow != 0 {
		return w.slow
	}
	return &w.quick
}

func unitOf(o outcome) uint64 {
	if o&failure != 0 {
		return failedUnit
	}
	return okUnit
}

func (w *timeWindow) note(epoch int64) {
	for last := w.lastBad.Load(); last < epoch && !w.lastBad.CompareAndSwap(last, epoch); {
		last = w.lastBad.Load()
	}
}

// settledKey is a bucket of one generation as one word.
func settledKey(epoch int64, tag uint64) uint64 { return uint64(epoch)<<(64-tagShift) | tag }

// at returns the epoch to count in at now, turning the window if it is time.
func (w *timeWindow) at(now int64) int64 {
	epoch := w.epoch.Load()
	if w.covers(epoch, now) {
		return epoch
	}
	return w.turn(now)
}

func (w *timeWindow) covers(epoch, now int64) bool { return uint64(now-epoch*w.span) < uint64(w.span) }

//go:noinline
func (w *timeWindow) turn(now int64) int64 {
	if !w.turning.TryLock() {
		return w.epoch.Load()
	}
	defer w.turning.Unlock()
	last, next := w.epoch.Load(), clock.FloorDiv(now, w.span)
	if next <= last {
		return last
	}
	for epoch := max(last, next-buckets) + 1; epoch <= next; epoch++ {
		w.quick.empty(epoch)
		if w.slow != nil {
			w.slow.empty(epoch)
		}
	}
	w.epoch.Store(next)
	return next
}

// reset empties the window for a new generation.
func (w *timeWindow) reset(tag uint64) {
	w.turning.Lock()
	defer w.turning.Unlock()
	w.lastBad.Store(never)
	w.quick.reset(tag)
	if w.slow != nil {
		w.slow.reset(tag)
	}
}

// amend does what window.amend does, with the latest outcome of the kind.
func (w *timeWindow) amend(now int64, tag uint64, from outcome) bool {
	l := w.place(from)
	if !l.take(w.at(now), tag) {
		l.succeeded.Add(-1) // it left the window long ago
	}
	landed, _ := w.add(now, tag, from|failure)
	if !landed {
		l.succeeded.Add(1)
	}
	return landed
}

// census counts what is in the window, turned to now, for the generation of tag.
func (w *timeWindow) census(now int64, tag uint64) census {
	w.at(now)
	ok, failed := w.quick.sum(tag)
	c := census{calls: ok + failed, failed: failed}
	if w.slow != nil {
		ok, failed = w.slow.sum(tag)
		c.slow = ok + failed
		c.calls += c.slow
		c.failed += failed
	}
	return c
}

func (w *timeWindow) fold(o outcome, n int64) {
	l := w.place(o)
	if o&failure != 0 {
		l.failed.Add(n)
	} else {
		l.succeeded.Add(n)
	}
}

func (w *timeWindow) total(o outcome) int64 {
	switch {
	case o == success:
		return w.quick.total(true)
	case o == failure:
		return w.quick.total(false)
	case w.slow != nil:
		return w.slow.both()
	}
	return 0
}
