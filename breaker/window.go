package breaker

import (
	"math"
	"sync"
	"sync/atomic"
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

// window counts the successes and failures of the last ten spans, lock-free, and the totals of what has left it.
//
// Each of the ten buckets is one word, changed by compare-and-swap only:
//
//	bits 63–48  tag: the low bits of the breaker's generation
//	bits 47–24  successes
//	bits 23–0   failures
//
// epoch numbers the current bucket, which is word epoch mod 10 and covers the clock readings from epoch × span up to
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
type window struct {
	span  int64        // nanoseconds per bucket
	epoch atomic.Int64 // changed under turning
	// lastFailure is the epoch of the latest failure. Once that has left the window, a success cannot trip the
	// breaker, and need not sum the buckets to find out.
	lastFailure atomic.Int64
	// settled is the bucket in which the sum was found to reach MinCalls with a ratio that does not trip. Until the
	// window turns, only failures can change that.
	settled atomic.Uint64
	words   [buckets]atomic.Uint64

	succeeded, failed atomic.Int64 // totals of what is no longer in words

	turning sync.Mutex // held for a turn or a reset, never while anything else runs
}

// init makes an empty window whose current bucket is the one of now.
func (w *window) init(span, now int64) {
	w.span = span
	w.epoch.Store(floorDiv(now, span))
	w.lastFailure.Store(never)
	w.settled.Store(settledKey(-1, tagMask)) // not the key of generation 0
}

// word returns the bucket of an epoch, which may be negative: elapsed time need not be positive.
func (w *window) word(epoch int64) *atomic.Uint64 { return &w.words[uint64(epoch-never)%buckets] }

// add counts one outcome for the generation of tag. It reports whether it landed, which it does not when the window has
// been reset since, and whether the sum is worth a look: no success can trip a breaker that has seen no failure.
func (w *window) add(now int64, tag, unit uint64) (landed, suspect bool) {
	epoch := w.epoch.Load()
	if !w.covers(epoch, now) {
		epoch = w.turn(now)
	}
	if unit == failedUnit {
		w.noteFailure(epoch)
	}
	word := w.word(epoch)
	for {
		old := word.Load()
		switch {
		case old>>tagShift != tag:
			return false, false
		case old&countMax == countMax || old>>countBits&countMax == countMax:
			w.halve(word, old)
		case word.CompareAndSwap(old, old+unit):
			if epoch-w.lastFailure.Load() >= buckets {
				return true, false
			}
			return true, unit == failedUnit || w.settled.Load() != settledKey(epoch, tag)
		}
	}
}

func (w *window) noteFailure(epoch int64) {
	for last := w.lastFailure.Load(); last < epoch && !w.lastFailure.CompareAndSwap(last, epoch); {
		last = w.lastFailure.Load()
	}
}

// settledKey is a bucket of one generation as one word.
func settledKey(epoch int64, tag uint64) uint64 { return uint64(epoch)<<(64-tagShift) | tag }

// at returns the epoch to count in at now, turning the window if it is time.
func (w *window) at(now int64) int64 {
	epoch := w.epoch.Load()
	if w.covers(epoch, now) {
		return epoch
	}
	return w.turn(now)
}

func (w *window) covers(epoch, now int64) bool { return uint64(now-epoch*w.span) < uint64(w.span) }

//go:noinline
func (w *window) turn(now int64) int64 {
	if !w.turning.TryLock() {
		return w.epoch.Load()
	}
	defer w.turning.Unlock()
	last, next := w.epoch.Load(), floorDiv(now, w.span)
	if next <= last {
		return last
	}
	for epoch := max(last, next-buckets) + 1; epoch <= next; epoch++ {
		word := w.word(epoch)
		w.retire(word, word.Load()>>tagShift) // only a reset changes tags, and that waits for turning
	}
	w.epoch.Store(next)
	return next
}

// reset empties the window for a new generation.
func (w *window) reset(tag uint64) {
	w.turning.Lock()
	defer w.turning.Unlock()
	w.lastFailure.Store(never)
	for i := range w.words {
		w.retire(&w.words[i], tag)
	}
}

// retire moves the counts of a word to the totals, and gives it a tag. The caller holds turning.
func (w *window) retire(word *atomic.Uint64, tag uint64) {
	ok, failed := counts(word.Swap(tag << tagShift))
	w.succeeded.Add(ok)
	w.failed.Add(failed)
}

// halve makes room in a word that is full, if it still is what it was, and keeps its ratio.
func (w *window) halve(word *atomic.Uint64, old uint64) {
	ok, failed := counts(old)
	if word.CompareAndSwap(old, old>>tagShift<<tagShift|uint64(ok/2)<<countBits|uint64(failed/2)) {
		w.succeeded.Add(ok - ok/2)
		w.failed.Add(failed - failed/2)
	}
}

// amend turns a success that was counted earlier in the generation of tag into a failure now. The number of calls stays
// what it was. It reports whether it did, which it does not when the window has been reset since.
func (w *window) amend(now int64, tag uint64) bool {
	if !w.takeSuccess(now, tag) {
		w.succeeded.Add(-1) // it left the window long ago
	}
	landed, _ := w.add(now, tag, failedUnit)
	if !landed {
		w.succeeded.Add(1)
	}
	return landed
}

// takeSuccess removes one success of the latest bucket that has any.
func (w *window) takeSuccess(now int64, tag uint64) bool {
	epoch := w.at(now)
	for i := range int64(buckets) {
		word := w.word(epoch - i)
		for {
			old := word.Load()
			if ok, _ := counts(old); ok == 0 || old>>tagShift != tag {
				break
			}
			if word.CompareAndSwap(old, old-okUnit) {
				return true
			}
		}
	}
	return false
}

// sum returns what is in the window, turned to now, for the generation of tag.
func (w *window) sum(tag uint64) (ok, failed int64) {
	for i := range w.words {
		word := w.words[i].Load()
		if word>>tagShift != tag {
			continue
		}
		o, f := counts(word)
		ok += o
		failed += f
	}
	return ok, failed
}

// total returns how many successes, or else failures, were ever counted.
func (w *window) total(successes bool) int64 {
	var sum int64
	if successes {
		sum = w.succeeded.Load()
	} else {
		sum = w.failed.Load()
	}
	for i := range w.words {
		ok, failed := counts(w.words[i].Load())
		if successes {
			sum += ok
		} else {
			sum += failed
		}
	}
	return sum
}

func counts(word uint64) (ok, failed int64) {
	return int64(word >> countBits & countMax), int64(word & countMax)
}

// floorDiv rounds towards negative infinity.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
