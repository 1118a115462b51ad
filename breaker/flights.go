package breaker

import (
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/internal/clock"
)

const (
	quarters = 5 // of SlowCall: a call that began in the fifth before the current one has lasted SlowCall

	outBits = 20
	outMask = 1<<outBits - 1
	outFull = outMask
	ageMask = 1<<(tagShift-outBits) - 1
)

// flights counts the calls of a closed breaker that are out, by the quarter of SlowCall in which they began. So it is known
// which calls hang, to a quarter of SlowCall, without a timer or a list.
//
// There is one word for each of the five quarters whose calls may not have lasted SlowCall yet:
//
//	bits 63–48  tag: the low bits of the breaker's generation
//	bits 47–20  low bits of the number of the quarter
//	bits 19–0   calls that are out
//
// A call begins by adding one to the word of its quarter, and ends by taking it away, each by compare-and-swap with all
// upper bits the same. When the fifth quarter after a word's own begins, whoever finds out swaps the word for an empty
// one of that quarter: the calls that the old one held are those that hang, and they are counted as slow at once. When one
// of them ends, it finds that its quarter is gone, and so that it was counted. Either the call takes itself out of the
// word or the swap takes it, never both. A word with a new tag says that the generation is over: then see before.
//
// A call that begins in a quarter that has no word yet, or ends after it began, makes the others due first. So a breaker
// whose calls all hang is looked at by the next call, State or Stats, at the cost of one comparison for all the others.
type flights struct {
	slowCall int64
	quarter  int64        // a fourth of it, in nanoseconds, rounded up
	latest   atomic.Int64 // the latest quarter that has a word; changed under the breaker's mu
	words    [quarters]atomic.Uint64

	// The breaker's mu guards all below.
	swept  int64 // quarters up to this one have no word any more
	before struct {
		tag   uint64 // the latest closed generation that is over,
		swept int64  // and up to which quarter its calls were counted while they hung
	}
}

func newFlights(slowCall time.Duration, now int64) *flights {
	f := &flights{slowCall: int64(slowCall)}
	f.quarter = (f.slowCall-1)/(quarters-1) + 1
	f.before.tag = tagMask + 1 // none
	f.restart(clock.FloorDiv(now, f.quarter), 0)
	return f
}

func (f *flights) word(quarter int64) *atomic.Uint64 { return &f.words[uint64(quarter-never)%quarters] }

// flightKey is a word without calls.
func flightKey(quarter int64, tag uint64) uint64 {
	return tag<<tagShift | uint64(quarter)&ageMask<<outBits
}

// quarterAt returns the quarter of a clock reading, mostly without a division.
func (f *flights) quarterAt(at int64) int64 {
	if latest := f.latest.Load(); uint64(at-latest*f.quarter) < uint64(f.quarter) {
		return latest
	}
	return clock.FloorDiv(at, f.quarter)
}

// due reports whether calls may hang that were not counted yet.
func (f *flights) due(now int64) bool { return now-f.latest.Load()*f.quarter >= f.quarter }

// begin counts a call as out, and returns the mark for its permit. It is 0 if the call was not counted: its quarter has no
// word, or the generation of tag is over, or a million calls are out that began in one quarter.
func (f *flights) begin(now int64, tag uint64) (mark int64) {
	mark = markOf(now)
	quarter := f.quarterAt(timeOf(mark))
	word, key := f.word(quarter), flightKey(quarter, tag)
	for {
		old := word.Load()
		if old&^outMask != key || old == key|outFull {
			return 0
		}
		if word.CompareAndSwap(old, old+1) {
			return mark
		}
	}
}

// end takes a call out. If it was not there any more, over tells whether that is so because its generation is over;
// otherwise it was counted while it hung.
func (f *flights) end(mark int64, tag uint64) (out, over bool) {
	quarter := f.quarterAt(timeOf(mark))
	word, key := f.word(quarter), flightKey(quarter, tag)
	for {
		old := word.Load()
		if old&^outMask != key {
			return false, old>>tagShift != tag
		}
		if word.CompareAndSwap(old, old-1) {
			return true, false
		}
	}
}

// next takes one quarter out whose calls have lasted SlowCall by now, and returns how many they are and when they had.
// It returns false when there is none. The caller holds the breaker's mu, and counts them before it asks again.
func (f *flights) next(now int64, tag uint64) (hung, at int64, found bool) {
	latest := f.latest.Load()
	current := max(clock.FloorDiv(now, f.quarter), latest)
	for last := min(current-quarters, latest); f.swept < last; {
		f.swept++
		quarter := f.swept + (current-f.swept)/quarters*quarters // the one among the new five that has this word
		old := f.word(f.swept).Swap(flightKey(quarter, tag))
		if hung = int64(old & outMask); hung > 0 {
			return hung, (f.swept + quarters) * f.quarter, true
		}
	}
	f.swept = current - quarters
	f.latest.Store(current)
	return 0, 0, false
}

// reset begins a new generation, without calls. The caller holds the breaker's mu.
func (f *flights) reset(old State, oldTag, tag uint64) {
	if old == Closed {
		f.before.tag, f.before.swept = oldTag, f.swept
	}
	f.restart(f.latest.Load(), tag)
}

func (f *flights) restart(latest int64, tag uint64) {
	for quarter := latest; quarter > latest-quarters; quarter-- {
		f.word(quarter).Store(flightKey(quarter, tag))
	}
	f.swept = latest - quarters
	f.latest.Store(latest)
}

// counted reports whether a call of a generation that is over was counted in it, while it hung. Only the latest closed one
// is known. The caller holds the breaker's mu.
func (f *flights) counted(mark int64, tag uint64) bool {
	return f.before.tag == tag && clock.FloorDiv(timeOf(mark), f.quarter) <= f.before.swept
}

// A mark is a clock reading plus one, so that 0 says that there is none. The reading −1 is taken for −2, which is
// in the same quarter.
func markOf(now int64) int64 {
	if now == -1 {
		return -1
	}
	return now + 1
}

func timeOf(mark int64) int64 { return mark - 1 }

// countHung counts the calls that have lasted SlowCall by now and are out still, as of when they had. It reports whether
// that opened the breaker. The caller holds mu, and word is that of a closed breaker.
func (b *Breaker) countHung(word uint64, now int64) bool {
	for tag := tagOf(word); ; {
		hung, at, found := b.flights.next(now, tag)
		if !found {
			return false
		}
		b.tally.addHung(at, tag, hung)
		switch r, due := b.tally.due(b.set.limits, at, tag); {
		case !due:
		case modeOf(word) == ForcedClosed:
			b.tally.unsettle() // when the mode ends, the next outcome is to look again
		default:
			if word&rampFlag != 0 && at >= b.until.Load() {
				b.endRamp(word) // before that
			}
			b.move(Open, at, r)
			return true
		}
	}
}
