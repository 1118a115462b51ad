package breaker

import (
	"iter"
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/telemetry"
)

const (
	parts = 8 // a call that began in the eighth before the current one has lasted SlowCall, which is seven

	outBits = 20
	outMask = 1<<outBits - 1
	outNone = 1 << (outBits - 1)
	ageMask = 1<<(tagShift-outBits) - 1
)

// flights counts the calls of a closed breaker that are out, by the seventh part of SlowCall in which they began. So it
// is known which calls hang, to a seventh of SlowCall, without a timer or a list.
//
// There is a word for each of the eight parts whose calls may not have lasted SlowCall yet, and for each stripe:
//
//	bits 63–48  tag: the low bits of the breaker's generation
//	bits 47–20  low bits of the number of the part
//	bits 19–0   calls that began on the stripe less those that ended on it, plus 2¹⁹
//
// A call begins by adding one to a word of its part, and ends by taking one away, each by compare-and-swap with all
// upper bits the same. When the eighth part after a word's own begins, whoever finds out swaps the words for empty
// ones of that part: the calls that the old ones held, all together, are those that hang, and they are counted as slow
// at once. When one of them ends, it finds that its part is gone, and so that it was counted. A call may end on another
// stripe than it began on. It began before that stripe's word was swapped; and either it ends before the word that it ends
// on is, and the two make nothing, or it finds that word gone, and is counted: never both.
// A word with a new tag says that the generation is over: then see before.
//
// A call that begins in a part that has no word yet, or ends after it began, makes the others due first. So a breaker
// whose calls all hang is looked at by the next call, State or Stats, at the cost of one comparison for all the others.
type flights struct {
	slowCall int64
	part     int64                 // a seventh of it, in nanoseconds, rounded up
	latest   atomic.Int64          // the latest part that has a word; changed under the breaker's mu
	own      flightWords           // of a breaker that is to be small: it has one stripe
	striped  *[stripes]flightWords // instead of own, if not nil

	// The breaker's mu guards all below.
	swept  int64 // parts up to this one have no word any more
	before struct {
		tag   uint64 // the latest closed generation that is over,
		swept int64  // and up to which part its calls were counted while they hung
	}
}

func newFlights(slowCall time.Duration, now int64, isStriped bool) *flights {
	f := &flights{slowCall: int64(slowCall)}
	if isStriped {
		f.striped = new([stripes]flightWords)
	}
	f.part = (f.slowCall-1)/(parts-1) + 1
	f.before.tag = tagMask + 1 // none
	f.restart(clock.FloorDiv(now, f.part), 0)
	return f
}

// stripe returns the words in which this goroutine counts.
func (f *flights) stripe() *flightWords {
	if f.striped != nil {
		return &f.striped[telemetry.Stripe(logStripes)]
	}
	return &f.own
}

// all returns the words of all stripes.
func (f *flights) all() iter.Seq[*flightWords] {
	return func(yield func(*flightWords) bool) {
		if f.striped == nil {
			yield(&f.own)
			return
		}
		for i := range f.striped {
			if !yield(&f.striped[i]) {
				return
			}
		}
	}
}

// flightKey is the upper bits of a word.
func flightKey(part int64, tag uint64) uint64 {
	return tag<<tagShift | uint64(part)&ageMask<<outBits
}

// flightWords are the words of one stripe, a cache line.
type flightWords [parts]atomic.Uint64

// of returns the word of a part, which may be negative: elapsed time need not be positive.
func (w *flightWords) of(part int64) *atomic.Uint64 { return &w[uint64(part)%parts] }

// partAt returns the part of a clock reading, mostly without a division.
func (f *flights) partAt(at int64) int64 {
	if latest := f.latest.Load(); uint64(at-latest*f.part) < uint64(f.part) {
		return latest
	}
	return clock.FloorDiv(at, f.part)
}

// due reports whether calls may hang that were not counted yet.
func (f *flights) due(now int64) bool { return now-f.latest.Load()*f.part >= f.part }

// begin counts a call as out, and returns the mark for its permit. It is 0 if the call was not counted: its part has no
// word, or the generation of tag is over, or half a million calls are out that began in one part on one stripe.
func (f *flights) begin(words *flightWords, now int64, tag uint64) (mark int64) {
	mark = markOf(now)
	part := f.partAt(timeOf(mark))
	word, key := words.of(part), flightKey(part, tag)
	for {
		old := word.Load()
		if old&^outMask != key || old == key|outMask {
			return 0
		}
		if word.CompareAndSwap(old, old+1) {
			return mark
		}
	}
}

// end takes a call out. If it was not there any more, over tells whether that is so because its generation is over;
// otherwise it was counted while it hung.
func (f *flights) end(words *flightWords, mark int64, tag uint64) (out, over bool) {
	part := f.partAt(timeOf(mark))
	word, key := words.of(part), flightKey(part, tag)
	for {
		old := word.Load()
		if old&^outMask != key {
			return false, old>>tagShift != tag
		}
		if old == key { // half a million ended here that began elsewhere
			word = f.fullest(part)
			continue
		}
		if word.CompareAndSwap(old, old-1) {
			return true, false
		}
	}
}

// fullest returns the word of a part from which most calls can be taken.
func (f *flights) fullest(part int64) (word *atomic.Uint64) {
	var most uint64
	for words := range f.all() {
		if w := words.of(part); word == nil || w.Load()&outMask > most {
			word, most = w, w.Load()&outMask
		}
	}
	return word
}

// next takes one part out whose calls have lasted SlowCall by now, and returns how many they are and when they had.
// It returns false when there is none. The caller holds the breaker's mu, and counts them before it asks again.
func (f *flights) next(now int64, tag uint64) (hung, at int64, found bool) {
	latest := f.latest.Load()
	current := max(clock.FloorDiv(now, f.part), latest)
	for last := min(current-parts, latest); f.swept < last; {
		f.swept++
		part := f.swept + (current-f.swept)/parts*parts // the one among the new five that has this word
		for words := range f.all() {
			hung += int64(words.of(f.swept).Swap(flightKey(part, tag)|outNone)&outMask) - outNone
		}
		if hung > 0 {
			return hung, (f.swept + parts) * f.part, true
		}
	}
	f.swept = current - parts
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
	for part := latest; part > latest-parts; part-- {
		for words := range f.all() {
			words.of(part).Store(flightKey(part, tag) | outNone)
		}
	}
	f.swept = latest - parts
	f.latest.Store(latest)
}

// counted reports whether a call of a generation that is over was counted in it, while it hung. Only the latest closed one
// is known. The caller holds the breaker's mu.
func (f *flights) counted(mark int64, tag uint64) bool {
	return f.before.tag == tag && clock.FloorDiv(timeOf(mark), f.part) <= f.before.swept
}

// A mark is a clock reading plus one, so that 0 says that there is none. The reading −1 is taken for −2, which is
// in the same part.
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
