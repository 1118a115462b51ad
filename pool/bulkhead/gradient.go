package bulkhead

import (
	"cmp"
	"math"
	"time"
)

const (
	manyCalls  = 100  // of a window that counts in full, at least
	perSlot    = 5    // calls of such a window for each of the limit: the noise of their mean is 1/√(5 × limit)
	smoothing  = 0.2  // the part of the way that such a window moves the limit
	longStreak = 5    // windows without a queue after which it moves all of the way
	steepest   = 0.5  // the lowest gradient
	dropsShare = 0.01 // of the calls of a window, which are no sign of overload yet
	dropSlope  = 0.9  // what the limit is multiplied by after a window with more

	unusedTimes = 5   // times as high as what is used the limit may be
	idling      = 0.9 // how fast it falls to that

	probeShare = 0.5  // of the limit, for a probe
	fallen     = 0.75 // of what the limit was: the time without a queue may have changed
	risen      = 2    // times what the limit was: the next measurement is better
	surprise   = 2    // times the noise that a probe's result differs from the last, to be looked at again
	luck       = 4    // times the noise below which a window shows that the work has become faster
	probePause = 2 * time.Second
)

// gradient is the law of a [Gradient].
type gradient struct {
	bounds
	limit      float64
	tolerance  float64
	probeEvery int64

	base    float64 // nanoseconds of a call without a queue, 0 when not measured yet
	probing bool
	probed  int64   // when the last probe ended
	sure    bool    // whether the last probe has confirmed the one before
	lowest  float64 // limit since then
	highest float64
	streak  int // windows in a row without a queue
}

func newGradient(l Gradient, b bounds) *gradient {
	return &gradient{
		bounds:     b,
		limit:      float64(b.initial),
		tolerance:  cmp.Or(l.Tolerance, DefaultTolerance),
		probeEvery: int64(cmp.Or(l.ProbeEvery, DefaultProbeEvery)),
	}
}

func (l *gradient) dropped(int64) bool { return false }

func (l *gradient) enough() int { return max(manyCalls, int(perSlot*l.limit)) }

func (l *gradient) next(w window) (limit int, fresh bool) {
	switch {
	case float64(w.drops) > dropsShare*float64(w.calls):
		l.cut()
		return int(l.limit), true // what the old limit has brought about must not cut the new one
	// From here on most calls have succeeded, so that there is a mean.
	case l.probing:
		l.settle(w)
	case l.due(w):
		l.probing = true
		return int(l.within(l.limit * probeShare)), true
	default:
		l.move(w)
	}
	return int(l.limit), false
}

// settle ends a probe.
func (l *gradient) settle(w window) {
	l.probing, l.probed, l.lowest, l.highest = false, w.ended, l.limit, l.limit
	l.sure = math.Abs(w.mean-l.base) <= surprise*w.noise()*w.mean
	if l.sure {
		l.base = (l.base + w.mean) / 2
	} else {
		l.base = w.mean
	}
}

// due tells whether it is time for a probe.
func (l *gradient) due(w window) bool {
	since := w.ended - l.probed
	return l.base == 0 || since >= l.probeEvery || since >= int64(probePause) && (!l.sure || l.limit < fallen*l.highest || l.limit > risen*l.lowest)
}

// cut is what a window with drops does. It ends a probe, which has measured calls that did not go well; and it adds no
// root, which would be more than it takes from any limit below 100.
func (l *gradient) cut() {
	l.probing, l.streak = false, 0
	l.limit = l.within(l.limit * dropSlope)
	l.lowest = math.Min(l.lowest, l.limit)
}

func (l *gradient) move(w window) {
	if w.mean < l.base*(1-luck*w.noise()) {
		l.base, l.sure = (l.base+w.mean)/2, false
	}
	slope := math.Min(math.Max(l.tolerance*l.base/w.mean, steepest), 1)
	if slope < 1 {
		l.streak /= 2
	} else {
		l.streak = min(l.streak+1, longStreak)
	}
	target := l.limit*slope + math.Sqrt(l.limit)
	if 2*w.peak < w.limit {
		target = math.Min(target, l.limit)
	}
	part := smoothing * float64(max(l.streak, 1)) * math.Min(1, float64(w.calls)/float64(l.enough()))
	l.limit += (target - l.limit) * part
	if most := float64(unusedTimes * w.peak); l.limit > most {
		l.limit = math.Max(l.limit*idling, most)
	}
	l.limit = l.within(l.limit)
	l.lowest, l.highest = math.Min(l.lowest, l.limit), math.Max(l.highest, l.limit)
}
