package throttle

import (
	"sync/atomic"

	"github.com/joist-go/joist/internal/clock"
)

const (
	buckets = 10

	countBits     = 21
	countMask     = 1<<countBits - 1
	acceptedUnit  = 1
	rejectedUnit  = 1 << countBits
	throttledUnit = 1 << (2 * countBits)

	// fullMask is the upper bit of each count.
	fullMask = (acceptedUnit | rejectedUnit | throttledUnit) << (countBits - 1)
)

// tally holds what a throttle counts: lock-free, the last ten steps, and the totals of what has left them. It is a
// telemetry source, and so it does not point to its throttle.
//
// Each of the ten buckets is one word:
//
//	bits 62–42  throttled: refused here
//	bits 41–21  rejected by the dependency
//	bits 20–0   accepted
//
// An outcome is one addition to the word of the current step. A word of which a count has its upper bit set is halved by
// whoever sees it, keeping the ratio; until it is, each count has room for a million additions more, and whoever makes one
// of them halves, too. So no count runs into the next one.
//
// Whoever takes counts out of a word adds them to the totals only afterwards, and Total reads the totals first and the
// words second. So a total may be short for a moment, and counts nothing twice. An outcome whose goroutine was held up
// between looking for the step and counting lands in a bucket that is used again: it counts up to a window late.
type tally struct {
	steps clock.Steps
	words [buckets]atomic.Uint64

	accepted, rejected, throttled atomic.Int64 // totals of what is no longer in words
	ignored                       atomic.Int64 // total
}

// counts are what the words hold.
type counts struct{ accepted, rejected, throttled uint64 }

func unpack(word uint64) counts {
	return counts{word & countMask, word >> countBits & countMask, word >> (2 * countBits)}
}

// init makes an empty window whose current step is the one of now.
func (t *tally) init(window, now int64) { t.steps.Init(window/buckets, buckets, now) }

// at returns the step to count in at now, turning the window if it is time.
func (t *tally) at(now int64) int64 {
	if step, ok := t.steps.Current(now); ok {
		return step
	}
	return t.steps.Turn(now, t.empty)
}

// add counts one outcome.
func (t *tally) add(step int64, unit uint64) {
	word := &t.words[t.steps.Bucket(step)]
	if word.Add(unit)&fullMask != 0 {
		t.halve(word)
	}
}

// sum returns what is in the window as it was last turned.
func (t *tally) sum() counts {
	var c counts
	for i := range t.words {
		w := unpack(t.words[i].Load())
		c.accepted += w.accepted
		c.rejected += w.rejected
		c.throttled += w.throttled
	}
	return c
}

// empty moves the counts of a bucket to the totals.
func (t *tally) empty(bucket int) { t.retire(unpack(t.words[bucket].Swap(0))) }

// halve makes room in a word, if it still needs any, and keeps its ratio.
func (t *tally) halve(word *atomic.Uint64) {
	for {
		old := word.Load()
		if old&fullMask == 0 {
			return
		}
		c := unpack(old)
		left := counts{c.accepted / 2, c.rejected / 2, c.throttled / 2}
		if word.CompareAndSwap(old, left.accepted*acceptedUnit+left.rejected*rejectedUnit+left.throttled*throttledUnit) {
			t.retire(counts{c.accepted - left.accepted, c.rejected - left.rejected, c.throttled - left.throttled})
			return
		}
	}
}

func (t *tally) retire(c counts) {
	t.accepted.Add(int64(c.accepted))
	t.rejected.Add(int64(c.rejected))
	t.throttled.Add(int64(c.throttled))
}
