package cache

import (
	"sync/atomic"
	"time"
)

const (
	horizonWindow = time.Second // how long a horizon stands
	horizonSlack  = time.Second // how late its timer may be
)

// horizon spares hits the reading of the clock, which costs as much as all else that they do. It is a moment so far
// ahead that an entry which is fresh until after it is fresh now.
//
// Protocol. A hit that had to read the clock raises the horizon to now + window + slack and starts a timer that takes
// it down again, to never, after the window. So while the horizon stands, now is less than window after it was raised,
// plus what the timer is late, and before the horizon unless that is more than the slack. An entry that comes near its
// end is again judged by the clock, to the nanosecond. In a testing/synctest bubble timers are never late.
//
// The horizon of a cache that is not used is down, with no timer: a long sleep in virtual time costs nothing. The timer
// holds the horizon alone, so that it does not keep the cache.
type horizon struct{ at atomic.Int64 }

func newHorizon() *horizon {
	h := new(horizon)
	h.at.Store(never)
	return h
}

// beyond tells whether an entry that is fresh until hitUntil is known to be fresh without a look at the clock.
func (h *horizon) beyond(hitUntil int64) bool { return hitUntil > h.at.Load() }

// raise sets the horizon if it is down and an entry that is fresh until hitUntil has something of it.
func (h *horizon) raise(now, hitUntil int64) {
	at := now + int64(horizonWindow+horizonSlack)
	if hitUntil <= at || h.at.Load() != never || !h.at.CompareAndSwap(never, at) {
		return
	}
	time.AfterFunc(horizonWindow, func() { h.at.Store(never) })
}
