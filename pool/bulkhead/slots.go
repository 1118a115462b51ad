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
	inflightBits = 24
	inflightMask = 1<<inflightBits - 1
	acceptedOne  = 1 << inflightBits
	carryBit     = 1 << 63 // the top bit of the count of accepted calls
	carryWorth   = carryBit >> inflightBits
	sampleMask   = 63 << inflightBits // zero in these bits: one accepted call in 64
)

// slowCall is the typical time from which on all calls are timed: two readings of the clock cost more than the rest of
// the bulkhead, but nothing beside a slow call.
const slowCall = 20 * time.Microsecond

// unsampled stands for the begin of a call whose time is not taken.
const unsampled = math.MinInt64

// slots is all that changes in a bulkhead, on one cache line, apart from what counts refusals. It is what telemetry
// counts from, so it knows nothing of the Bulkhead.
//
// The word holds two numbers:
//
//	bit 63 ──────────────── 24   23 ───────── 0
//	calls accepted, ever         calls in flight
//
// A call enters by one compare-and-swap that adds one to both, and leaves by one addition that takes one from the calls
// in flight. Because the number of calls in flight is compared and raised in one step, it is never above the limit, and
// no call is refused while a slot is free; an addition with undo is cheaper under contention and gives up the second.
// A refusal does not write the word: it loads it, and counts in a striped cell.
//
// Accepted calls are counted for nothing this way, but only 2^39 of them until the top bit is set. Whoever sees that
// bit clears it by a compare-and-swap and adds its worth to carried. A reader takes carried first and the word second,
// so that it may miss a carry under way and be short for a moment, but never counts one twice.
type slots struct {
	word    atomic.Uint64
	carried atomic.Int64
	typical clock.Average // the time of a call
	limit   uint64
	clock   clock.Clock
	refused *telemetry.Cell // words: rejected, cancelled
}

// enter takes a slot. It returns when the call began if its time is to be taken, else unsampled; or false and the
// number of calls in flight.
func (s *slots) enter() (began int64, inflight uint64, ok bool) {
	for {
		v := s.word.Load()
		if v&inflightMask >= s.limit {
			return 0, v & inflightMask, false
		}
		if !s.word.CompareAndSwap(v, v+acceptedOne+1) {
			continue
		}
		if v&sampleMask == 0 || s.typical.Get() >= slowCall {
			return s.begin(v), 0, true
		}
		return unsampled, 0, true
	}
}

// begin is the path of a call that is timed. It is also where the count of accepted calls is relieved of its top bit.
func (s *slots) begin(v uint64) int64 {
	for v&carryBit != 0 {
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
	s.word.Add(^uint64(0))
}

func (s *slots) inflight() int64 { return int64(s.word.Load() & inflightMask) }

func (s *slots) accepted() int64 {
	carried := s.carried.Load() // before the word, see above
	return carried + int64(s.word.Load()>>inflightBits)
}
