package breaker

import "math"

// limits are what opens a closed breaker. They are apart from the settings, which know functions of the user: what they
// hold must not be kept alive by a window, which the metrics outlive the breaker with.
type limits struct {
	minCalls                int64
	failureRatio, slowRatio float64
	row                     uint64 // failures in a row, or 0
}

// ratios are what a breaker decides by.
type ratios struct{ failure, slow float64 }

// census is what is in a window. A slow failure is among the failed and the slow.
type census struct{ calls, failed, slow int64 }

func (c census) ratios() ratios {
	if c.calls == 0 {
		return ratios{}
	}
	return ratios{float64(c.failed) / float64(c.calls), float64(c.slow) / float64(c.calls)}
}

// exceeded reports whether there are MinCalls, and one of the ratios is reached.
func (l *limits) exceeded(c census) bool { return c.calls >= l.minCalls && l.reached(c) }

// reached reports whether one of the ratios is. A ratio without a call to its name is not.
func (l *limits) reached(c census) bool {
	r := c.ratios()
	return c.failed > 0 && r.failure >= l.failureRatio || c.slow > 0 && r.slow >= l.slowRatio
}

// window is what a closed breaker has counted: outcomes over a time or over a number of calls, and failures in a row. Which
// of these it is was decided when the breaker was made. Most count over a time and nothing else, and have no more.
type window struct {
	time timeWindow
	more *extras
}

// extras are what a window has that not all breakers ask for.
type extras struct {
	calls *callWindow // instead of time, if not nil
	row   row
}

// init makes an empty window for generation 0.
func (w *window) init(s *settings, now int64) {
	if s.lastCalls == 0 {
		w.time.init(s.span, now, !s.keyed, s.slowCall > 0)
	}
	if s.lastCalls == 0 && s.limits.row == 0 {
		return
	}
	w.more = &extras{row: row{most: s.limits.row}}
	if s.lastCalls > 0 {
		w.more.calls = newCallWindow(s.lastCalls, s.limits)
	}
}

// counting returns the window over a number of calls, nil if it is one over a time.
func (w *window) counting() *callWindow {
	if w.more == nil {
		return nil
	}
	return w.more.calls
}

// noteRow notes an outcome that has landed, and reports whether the row of failures is long enough to open the breaker.
func (w *window) noteRow(tag uint64, o outcome) bool {
	m := w.more
	return m != nil && m.row.most != 0 && m.row.add(tag, o) >= m.row.most
}

// add counts one outcome for the generation of tag. It reports whether it landed, which it does not when the window has
// been reset since, and whether the breaker may have to open.
func (w *window) add(now int64, tag uint64, o outcome) (landed, suspect bool) {
	if c := w.counting(); c != nil {
		landed, suspect = c.add(tag, o)
	} else {
		landed, suspect = w.time.add(now, tag, o)
	}
	if landed && w.noteRow(tag, o) {
		suspect = true
	}
	return landed, suspect
}

// addHung counts calls that hang, as slow. A row of failures goes on: it is not known yet how they end.
func (w *window) addHung(at int64, tag uint64, n int64) {
	for range n {
		if c := w.counting(); c != nil {
			c.add(tag, slow)
		} else {
			w.time.add(at, tag, slow)
		}
	}
}

// endHung notes how a call ended that was counted while it hung. If it failed, what was counted becomes a failure.
func (w *window) endHung(now int64, tag uint64, o outcome) (suspect bool) {
	if o&failure != 0 {
		_, suspect = w.amend(now, tag, slow)
	} else {
		w.noteRow(tag, o)
	}
	return suspect
}

// amend turns an outcome that was counted earlier in the generation of tag, success or slow, into a failure now. The number
// of calls stays what it was. It reports whether it did, which it does not when the window has been reset since.
func (w *window) amend(now int64, tag uint64, from outcome) (landed, suspect bool) {
	if c := w.counting(); c != nil {
		landed = c.amend(tag, from)
	} else {
		landed = w.time.amend(now, tag, from)
	}
	if landed {
		w.noteRow(tag, failure)
	}
	return landed, landed
}

// due reports whether the breaker has to open at now, and by what ratios.
func (w *window) due(l *limits, now int64, tag uint64) (r ratios, due bool) {
	var epoch int64
	if w.counting() == nil {
		epoch = w.time.at(now) // before the sum: if the window turns meanwhile, that is not settled
	}
	c := w.census(now, tag)
	due = l.exceeded(c)
	if !due && w.counting() == nil && c.calls >= l.minCalls {
		w.time.settled.Store(settledKey(epoch, tag))
	}
	if m := w.more; m != nil && m.row.most != 0 && m.row.length(tag) >= m.row.most {
		due = true
	}
	return c.ratios(), due
}

// unsettle makes the next outcome look at the ratios again.
func (w *window) unsettle() { w.time.settled.Store(math.MaxUint64) }

// census counts what is in the window at now.
func (w *window) census(now int64, tag uint64) census {
	if c := w.counting(); c != nil {
		return c.census(tag)
	}
	return w.time.census(now, tag)
}

// reset empties the window for a new generation.
func (w *window) reset(tag uint64) {
	if c := w.counting(); c != nil {
		c.reset(tag)
	} else {
		w.time.reset(tag)
	}
	if w.more != nil {
		w.more.row.reset(tag)
	}
}

// fold adds to the total of an outcome what is not in the window: calls of a half-open breaker.
func (w *window) fold(o outcome, n int64) {
	if c := w.counting(); c != nil {
		c.fold(o, n)
	} else {
		w.time.fold(o, n)
	}
}

// total returns how many calls had an outcome since construction: success, failure, or slow, whether these failed or not.
func (w *window) total(o outcome) int64 {
	if c := w.counting(); c != nil {
		return c.total(o)
	}
	return w.time.total(o)
}
