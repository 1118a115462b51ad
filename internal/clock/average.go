package clock

import (
	"sync/atomic"
	"time"
)

// weight is the part of the distance to a new duration by which an [Average] moves, as a divisor.
const weight = 8

// Average is a moving average of durations: what something typically takes. The zero Average knows none yet. It is one
// word, safe for concurrent use, and allocates nothing. Adding is a load and a store: of two durations that are added
// at once one may be lost, which does an average no harm.
type Average struct {
	ns atomic.Int64
}

// Add moves the average towards d. The first duration is the average; one that is not positive, which an unordered pair
// of clock readings can give, counts as a nanosecond.
func (a *Average) Add(d time.Duration) {
	sample := max(int64(d), 1)
	if mean := a.ns.Load(); mean != 0 {
		sample = max(mean+(sample-mean)/weight, 1)
	}
	a.ns.Store(sample)
}

// Get returns the average, 0 before the first Add.
func (a *Average) Get() time.Duration { return time.Duration(a.ns.Load()) }
