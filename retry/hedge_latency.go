package retry

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/internal/clock"
)

// latencies estimates a percentile of how long first attempts take, from about the last calls, in bounded memory.
//
// It counts durations in buckets whose width grows with them: each doubling is divided in 16, so that a bucket's upper end,
// which is what the estimate gives, is above any duration in it by a sixteenth at most (the layout is HdrHistogram's).
// Durations below a microsecond are one, those above 137 s are 137 s.
//
// The window is two generations. Durations are added to the young one; when that is old enough and full enough, it becomes
// the old one, and the old one is forgotten. The estimate is over both. So it is of the last 10 to 20 s, or, where calls are
// few, of as many as a percentile needs and at most twice that many.
type latencies struct {
	percentile float64
	enough     int // durations that a percentile needs
	clock      clock.Clock
	estimate   atomic.Int64 // nanoseconds, 0: too few

	mu    sync.Mutex
	young generation
	old   generation
	begun int64 // reading of the clock: when young was empty
	fresh int   // durations since the estimate
}

// generation counts durations. Its buckets are made with the first.
type generation struct {
	counts []uint32
	total  int
}

const (
	latencyWindow  = 10 * time.Second
	subBits        = 4  // 16 buckets for each doubling
	leastExponent  = 10 // 2^10 ns, about a microsecond
	doublings      = 27 // up to 2^37 ns, 137 s
	latencyBuckets = doublings << subBits
	enoughAbove    = 10  // durations above a percentile that it needs
	enoughInAll    = 100 // and in all
	perEstimate    = 16  // the estimate is made anew at every enough/16 durations
)

func newLatencies(percentile float64) *latencies {
	return &latencies{
		percentile: percentile,
		enough:     max(enoughInAll, int(math.Ceil(enoughAbove/(1-percentile)))),
		clock:      clock.New(),
	}
}

// get returns the estimate, 0 while too few durations are known.
func (l *latencies) get() time.Duration { return time.Duration(l.estimate.Load()) }

// add counts a duration.
func (l *latencies) add(d time.Duration) {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.young.total >= l.enough && now-l.begun >= int64(latencyWindow) {
		l.young, l.old = l.old, l.young
		clear(l.young.counts)
		l.young.total, l.begun = 0, now
	}
	if l.young.counts == nil {
		l.young.counts = make([]uint32, latencyBuckets)
	}
	l.young.counts[bucketOf(d)]++
	l.young.total++
	l.fresh++
	if total := l.young.total + l.old.total; total >= l.enough && l.fresh >= l.enough/perEstimate {
		l.fresh = 0
		l.estimate.Store(int64(l.at(int64(math.Ceil(l.percentile * float64(total))))))
	}
}

// at returns the upper end of the bucket that has the duration of the given rank, 1 being the least.
func (l *latencies) at(rank int64) time.Duration {
	for i := range latencyBuckets {
		rank -= int64(l.young.counts[i])
		if l.old.counts != nil {
			rank -= int64(l.old.counts[i])
		}
		if rank <= 0 {
			return bucketEnd(i)
		}
	}
	return bucketEnd(latencyBuckets - 1)
}

// bucketOf returns the bucket of a duration: its exponent, and the bits after its first.
func bucketOf(d time.Duration) int {
	n := uint64(min(max(d, 1<<leastExponent), 1<<(leastExponent+doublings)-1))
	exponent := bits.Len64(n) - 1
	return (exponent-leastExponent)<<subBits | int(n>>(exponent-subBits))&(1<<subBits-1)
}

// bucketEnd returns the least duration above those of a bucket.
func bucketEnd(i int) time.Duration {
	exponent := leastExponent + i>>subBits
	return time.Duration(i&(1<<subBits-1)+1<<subBits+1) << (exponent - subBits)
}
