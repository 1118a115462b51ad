package bulkhead

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/telemetry"
)

// The layout of slots.word.
const (
	inflightBits = 25
	inflightMask = 1<<inflightBits - 1
	queuedBit    = 1 << inflightBits
	takenMask    = queuedBit | inflightMask // compared with the limit: more than any limit while calls are queued
	acceptedBits = inflightBits + 1
	acceptedOne  = 1 << acceptedBits
	entry        = acceptedOne + 1
	carryBit     = 1 << 63 // the top bit of the count of accepted calls
	carryWorth   = carryBit >> acceptedBits
	carryDue     = carryBit | carryBit>>1
	sampleMask   = 63 << acceptedBits // zero in these bits: one accepted call in 64
)

// slowCall is the typical time from which on all calls are timed: two readings of the clock cost more than the rest of
// the bulkhead, but nothing beside a slow call.
const slowCall = 20 * time.Microsecond

// unsampled stands for the begin of a call whose time is not taken.
const unsampled = math.MinInt64

// slots is all that changes in a bulkhead. It is what telemetry counts from, so it knows nothing of the Bulkhead.
//
// The word holds two numbers and a flag:
//
//	bit 63 ──────────────── 26   25       24 ───────── 0
//	calls accepted, ever         queued   calls in flight
//
// A call enters by one compare-and-swap that adds one to both, and leaves by one addition that takes one from the calls
// in flight. Because the number of calls in flight is compared and raised in one step, it is never above the limit, and
// no call is refused while a slot is free. An addition that is undone when it went too far gives up the second, and is
// slower under contention: a compare-and-swap that fails leaves the cache line for a few calls where it is. A refusal
// does not write the word: it loads it, and counts in a striped cell.
//
// The flag says that calls wait in the queue. While it is set nobody enters past the queue, and whoever takes from the
// calls in flight looks after the queue. It is written under the queue's lock.
//
// Accepted calls are counted for nothing this way, but only 2^37 of them until the top bit is set. Whoever is timed and
// sees the two top bits clears the upper by a compare-and-swap and adds its worth to carried. That there is half of it
// left keeps an entry that is retracted later from borrowing. A reader takes carried first and the word second, so
// that it may miss a carry under way and be short for a moment, but never counts one twice.
//
// What calls write has a cache line to itself, and the rest one that is only read. Together they fill 128 bytes, which the
// allocator aligns: with less, chance would say what shares the lines.
type slots struct {
	word    atomic.Uint64
	limit   atomic.Uint64
	typical clock.Average // the time of a call
	carried atomic.Int64
	_       [32]byte

	clock   clock.Clock
	queue   *queue          // nil when nobody waits
	adapt   *adapter        // nil when the limit is fixed
	refused *telemetry.Cell // words: those after wordAccepted
	_       [16]byte
}

// enter takes a slot. It returns when the call began if its time is to be taken, else unsampled.
func (s *slots) enter() (began int64, ok bool) {
	for {
		v := s.word.Load()
		if v&takenMask >= s.limit.Load() {
			return 0, false
		}
		if !s.word.CompareAndSwap(v, v+entry) {
			continue
		}
		if v&sampleMask == 0 || s.typical.Get() >= slowCall {
			return s.begin(v), true
		}
		return unsampled, true
	}
}

// begin is the path of a call that is timed. It is also where the count of accepted calls is relieved of its top bit.
func (s *slots) begin(v uint64) int64 {
	for v&carryDue == carryDue {
		if s.word.CompareAndSwap(v, v&^carryBit) {
			s.carried.Add(carryWorth)
			break
		}
		v = s.word.Load()
	}
	return s.clock.Now()
}

// leave gives a slot back.
func (s *slots) leave(began int64) {
	if began != unsampled {
		s.typical.Add(time.Duration(s.clock.Now() - began))
	}
	if s.word.Add(^uint64(0))&queuedBit != 0 {
		s.handOn()
	}
}

// leaveJudged is leave for an adaptive limit, which learns from how the call ended.
func (s *slots) leaveJudged(began int64, o Outcome) {
	if began != unsampled {
		now := s.clock.Now()
		s.typical.Add(time.Duration(now - began))
		if o != Ignored {
			s.adapt.record(s, call{began: began, ended: now, inflight: int(s.inflight()), dropped: o == Dropped})
		}
	}
	if s.word.Add(^uint64(0))&queuedBit != 0 {
		s.handOn()
	}
}

// retract gives back a slot that no call was made with.
func (s *slots) retract() {
	if s.word.Add(^uint64(entry-1))&queuedBit != 0 {
		s.handOn()
	}
}

// setLimit changes the limit, and lets in who waits for what it adds.
func (s *slots) setLimit(n int) {
	s.limit.Store(uint64(n))
	if s.queue != nil {
		s.handOn()
	}
}

func (s *slots) inflight() int64 { return int64(s.word.Load() & inflightMask) }

func (s *slots) accepted() int64 {
	carried := s.carried.Load() // before the word, see above
	return carried + int64(s.word.Load()>>acceptedBits)
}
