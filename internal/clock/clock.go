// Package clock tells the blocks how much time has passed, as one number.
//
// A block holds a [Clock] that it made when it was constructed. There is no package-level origin on purpose: inside a
// testing/synctest bubble time starts in the year 2000, so an origin taken outside would make elapsed time some
// −26 years, and every deadline with it.
package clock

import "time"

// Clock counts monotonic nanoseconds since it was made. The zero Clock is not usable. A Clock is a value, safe for
// concurrent use, and costs one read of the system's monotonic clock per call and no allocation.
type Clock struct {
	origin time.Time
}

// New returns a Clock whose origin is now.
func New() Clock { return Clock{origin: time.Now()} }

// Now returns the nanoseconds since the origin. It follows the monotonic clock, so that a step of the wall clock does
// not show. Callers on several cores may see readings out of order by the time between reading and use: no user may
// assume that a difference of two readings is positive.
func (c Clock) Now() int64 { return int64(time.Since(c.origin)) }

// At returns the reading that the clock shows at t, which may lie before the origin.
func (c Clock) At(t time.Time) int64 { return int64(t.Sub(c.origin)) }

// Time returns the moment at which the clock shows now.
func (c Clock) Time(now int64) time.Time { return c.origin.Add(time.Duration(now)) }
