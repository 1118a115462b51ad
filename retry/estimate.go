package retry

import (
	"sync/atomic"
	"time"
)

// estimate is a moving average of how long attempts take. Updates are a load and a store: when two meet, one sample is
// lost, which an average can bear. It lives apart from the policy, whose cache lines are only read.
type estimate struct {
	mean atomic.Int64 // nanoseconds, 0 before the first sample
	_    [56]byte     // one cache line of its own
}

// weight is the part of the distance to a new sample that the mean moves, as a divisor.
const weight = 8

func (e *estimate) add(took time.Duration) {
	sample := max(int64(took), 1)
	mean := e.mean.Load()
	if mean == 0 {
		e.mean.Store(sample)
		return
	}
	e.mean.Store(max(mean+(sample-mean)/weight, 1))
}

func (e *estimate) get() time.Duration { return time.Duration(e.mean.Load()) }
