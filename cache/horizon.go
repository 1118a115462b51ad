package cache

import (
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/internal/clock"
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
// end is again judged by the clock, to the nanosecond. What may be later is the timer of a process that was stopped and
// goes on: until its scheduler has run the timer, some milliseconds, hits are answered as if it had not been away.
//
// The horizon of a cache that is not used is down, with no timer. The timer holds the horizon alone, so that it does
// not keep the cache.
//
// In the virtual time of a testing/synctest bubble there is no horizon: the timer would be lost with its bubble, and a
// cache that is used after it would stand still.
type horizon struct {
	at    atomic.Int64
	faked bool // stand in virtual time too: for the tests of the horizon itself
}

// realTime is a moment before which only virtual clocks are: a bubble's starts with the year 2000.
var realTime = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

func newHorizon() *horizon {
	h := new(horizon)
	h.at.Store(never)
	return h
}

// beyond tells whether an entry that is fresh until hitUntil is known to be fresh without a look at the clock.
func (h *horizon) beyond(hitUntil int64) bool { return hitUntil > h.at.Load() }

// raise sets the horizon if it is down and an entry that is fresh until hitUntil has something of it.
func (h *horizon) raise(c clock.Clock, now, hitUntil int64) {
	at := now + int64(horizonWindow+horizonSlack)
	if hitUntil <= at || h.at.Load() != never {
		return
	}
	if c.Time(now).Before(realTime) && !h.faked || !h.at.CompareAndSwap(never, at) {
		return
	}
	time.AfterFunc(horizonWindow, func() { h.at.Store(never) })
}
