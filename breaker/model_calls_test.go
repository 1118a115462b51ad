package breaker_test

import (
	"math"
	"slices"
	"time"

	"github.com/joist-go/joist/breaker"
)

// window returns what is in the window at a time, and forgets what has left it.
func (m *model) window(at time.Duration) []modelCall {
	if m.byCalls() {
		m.calls = m.calls[max(len(m.calls)-modelCalls, 0):]
		return m.calls
	}
	span := modelWindow / 10
	m.calls = slices.DeleteFunc(m.calls, func(c modelCall) bool { return c.at/span <= at/span-10 })
	return m.calls
}

func (m *model) byCalls() bool { return m.o.Window == breaker.LastCalls(modelCalls) }

func tallied(calls []modelCall) (failed, slow int) {
	for _, c := range calls {
		if c.failed {
			failed++
		}
		if c.slow {
			slow++
		}
	}
	return failed, slow
}

func ratiosOf(calls []modelCall) modelRatios {
	if len(calls) == 0 {
		return modelRatios{}
	}
	failed, slow := tallied(calls)
	return modelRatios{float64(failed) / float64(len(calls)), float64(slow) / float64(len(calls))}
}

// amendCall turns the latest call that was counted as slow or not, and did not fail, into a failure: where it stands in a
// window over calls, and now in a window over a time. If it has left, the failure comes in anew.
func (m *model) amendCall(slow bool) {
	m.noteRow(true)
	m.window(m.now)
	for i, c := range slices.Backward(m.calls) {
		if c.failed || c.slow != slow {
			continue
		}
		if m.byCalls() {
			m.calls[i].failed = true
			return
		}
		m.calls = slices.Delete(m.calls, i, i+1)
		break
	}
	m.calls = append(m.calls, modelCall{m.now, true, slow})
}

// hangsAt returns when a call that is out is found to hang: when the eighth part of SlowCall after its own begins.
func (m *model) hangsAt(p *modelPermit) time.Duration {
	part := (m.o.SlowCall + 6) / 7
	return p.began - p.began%part + 8*part
}

// nextHung returns when the next call is found to hang.
func (m *model) nextHung() time.Duration {
	next := time.Duration(math.MaxInt64)
	if m.o.SlowCall == 0 {
		return next
	}
	for _, p := range m.flying {
		next = min(next, m.hangsAt(p))
	}
	return next
}

// countHung counts the calls as slow that are found to hang at that time.
func (m *model) countHung(at time.Duration) {
	m.flying = slices.DeleteFunc(m.flying, func(p *modelPermit) bool {
		if p.hung = m.hangsAt(p) == at; p.hung {
			p.slow = true
			m.total.Slow++
			m.calls = append(m.calls, modelCall{at, false, true})
			m.reached["hung"]++
		}
		return p.hung
	})
	m.judge(at)
}

// endHung is the end of a call that was counted while it hung. It stays slow, and becomes a failure if it failed.
func (m *model) endHung(o outcome) {
	switch o {
	case ignored:
	case success:
		m.noteRow(false)
	default:
		m.amendCall(true)
		m.judge(m.now)
	}
}
