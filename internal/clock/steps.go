package clock

import (
	"math"
	"sync"
	"sync/atomic"
)

// Steps divides a clock's time into steps of one length, for a window that slides: a ring with a bucket per step, of
// which the current one is counted in. It is made with [Steps.Init] and safe for concurrent use.
//
// Who comes first past the end of the current step turns the ring: holding turning, it empties the buckets that are used
// again, and only then moves current. Others do not wait: who finds turning taken, or comes with an older reading, uses
// the step that current names. So a count may stand in the step before its own, by as long as a turn takes.
type Steps struct {
	span    int64 // nanoseconds per step
	buckets int64
	current atomic.Int64 // changed under turning
	turning sync.Mutex   // held for a turn, never while anything else runs
}

// Init makes s the steps of a ring of so many buckets, with the current step that of now.
func (s *Steps) Init(span int64, buckets int, now int64) {
	s.span, s.buckets = span, int64(buckets)
	s.current.Store(FloorDiv(now, span))
}

// Current returns the current step, and whether now lies in it. If not, it is time for [Steps.Turn].
func (s *Steps) Current(now int64) (step int64, ok bool) {
	step = s.current.Load()
	return step, uint64(now-step*s.span) < uint64(s.span)
}

// Turn makes the step of now the current one, unless that is later already or somebody else turns, and returns the
// current step. For each bucket that is used again empty is called before, with its number.
//
//go:noinline
func (s *Steps) Turn(now int64, empty func(bucket int)) int64 {
	if !s.turning.TryLock() {
		return s.current.Load()
	}
	defer s.turning.Unlock()
	last, next := s.current.Load(), FloorDiv(now, s.span)
	if next <= last {
		return last
	}
	for step := max(last, next-s.buckets) + 1; step <= next; step++ {
		empty(s.Bucket(step))
	}
	s.current.Store(next)
	return next
}

// Bucket returns the number of a step's bucket, from 0. A step may be negative: elapsed time need not be positive.
func (s *Steps) Bucket(step int64) int {
	return int(uint64(step-math.MinInt64) % uint64(s.buckets))
}

// End returns the reading at which a step ends.
func (s *Steps) End(step int64) int64 { return (step + 1) * s.span }

// FloorDiv is a / b, rounded towards negative infinity: the number of the step of length b in which the reading a lies.
func FloorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
