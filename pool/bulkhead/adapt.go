package bulkhead

import (
	"math"
	"sync"
	"time"
)

// How long a window lasts and how many calls it needs; see [Gradient] and [AIMD].
const (
	minWindow  = 100 * time.Millisecond
	longWindow = time.Second // after which few calls must do
	fewCalls   = 10
)

// call is one that has ended, in nanoseconds of the block's clock.
type call struct {
	began, ended int64
	inflight     int // when it ended, itself included
	dropped      bool
}

// window is what the calls of a stretch of time have shown.
type window struct {
	mean  float64 // nanoseconds of a call that succeeded, 0 if none did
	calls int
	drops int
	peak  int // most calls in flight
	limit int // at its end
	ended int64
}

// noise is the relative deviation of the mean by chance, of calls that vary as much as the exponential distribution.
func (w window) noise() float64 { return 1 / math.Sqrt(float64(w.calls)) }

// law decides about the limit. It is called under the adapter's lock.
type law interface {
	// dropped tells whether a call that succeeded after so many nanoseconds counts as a drop.
	dropped(took int64) bool
	// enough is how many calls a window should have.
	enough() int
	// next returns the limit after a window. With fresh, calls that began before now will not count.
	next(w window) (limit int, fresh bool)
}

// adapter gathers calls into windows and moves the limit after each. Calls that end while another is being recorded are
// not waited for: what is lost is a sample.
type adapter struct {
	mu    sync.Mutex
	law   law
	since int64 // calls that began before do not count
	began int64 // of the window
	total float64
	drops int
	calls int
	peak  int
}

// record takes note of a call, and closes the window when it is due.
func (a *adapter) record(s *slots, c call) {
	if !a.mu.TryLock() {
		return
	}
	defer a.mu.Unlock()
	if c.began < a.since {
		return
	}
	took := c.ended - c.began
	a.calls++
	a.peak = max(a.peak, c.inflight)
	if c.dropped || a.law.dropped(took) {
		a.drops++
	} else {
		a.total += float64(max(took, 1))
	}
	if a.due(c.ended, s.typical.Get()) {
		a.close(s, c.ended)
	}
}

func (a *adapter) due(now int64, typical time.Duration) bool {
	if a.calls < fewCalls {
		return false
	}
	lasted := time.Duration(now - a.began)
	least := max(minWindow, 2*typical)
	return lasted >= least && (a.calls >= a.law.enough() || lasted >= max(longWindow, 5*least))
}

func (a *adapter) close(s *slots, now int64) {
	w := window{calls: a.calls, drops: a.drops, peak: a.peak, limit: int(s.limit.Load()), ended: now}
	if succeeded := a.calls - a.drops; succeeded > 0 {
		w.mean = a.total / float64(succeeded)
	}
	limit, fresh := a.law.next(w)
	if fresh {
		a.since = now
	}
	a.began, a.total, a.drops, a.calls, a.peak = now, 0, 0, 0, 0
	if limit != w.limit {
		s.setLimit(limit)
	}
}
