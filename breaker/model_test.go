package breaker_test

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/joist-go/joist/breaker"
)

// model is a breaker without any cleverness: it keeps every call that counts, and makes each step in turn. Time is what
// has passed since its construction.
type model struct {
	o     breaker.Options // with all fields set that have a default
	chats bool            // its listener makes a call at each change

	now        time.Duration
	mode       breaker.Mode
	state      breaker.State
	generation uint64
	calls      []modelCall // counted in this closed generation
	row        int         // failures since the latest success
	flying     []*modelPermit
	lastClosed uint64 // the latest closed generation that is over, plus one
	until      time.Duration
	openings   int
	ramp       time.Duration // when it ends, or 0
	credit     int
	probes     []modelProbe // that are out, in the order of their deadlines
	results    []modelCall  // of the probes
	total      breaker.Stats

	made    []modelChange
	untold  int // how many of them the listener was not yet told
	telling bool
	drawn   func(generation uint64) time.Duration // what the breaker drew for an opening
	fault   string
	reached map[string]int
}

type modelCall struct {
	at           time.Duration
	failed, slow bool
}

type modelProbe struct {
	permit   *modelPermit
	deadline time.Duration
}

type modelChange struct {
	from, to breaker.State
	mode     breaker.Mode
	at       time.Duration
	openFor  time.Duration
	ratios   modelRatios
}

type modelRatios struct{ failure, slow float64 }

// modelPermit is what the model remembers of a permit.
type modelPermit struct {
	generation uint64
	probe      bool
	phase      int // out, succeeded, over
	retry      bool
	state      breaker.State // that the call began in
	began      time.Duration
	hung       bool // it was counted while it hung
	slow       bool // as which it was counted
}

const (
	out = iota
	succeeded
	over
)

func newModel(o breaker.Options, chats bool, drawn func(uint64) time.Duration) *model {
	m := &model{o: o, chats: chats, mode: o.Mode, drawn: drawn, reached: make(map[string]int)}
	if m.mode == breaker.ForcedOpen {
		m.state = breaker.Open
	}
	return m
}

// move makes a transition.
func (m *model) move(to breaker.State, at time.Duration, r modelRatios) {
	change := modelChange{from: m.state, to: to, mode: m.mode, at: at, ratios: r}
	if m.state == breaker.Closed {
		m.lastClosed = m.generation + 1
	}
	m.state = to
	m.generation++
	m.calls, m.row, m.flying, m.probes, m.results, m.ramp = nil, 0, nil, nil, nil, 0
	switch {
	case to == breaker.Closed && (m.o.Ramp == 0 || m.mode == breaker.ForcedClosed):
		m.openings = 0
	case to == breaker.Closed:
		m.ramp, m.credit = at+m.o.Ramp, 1023
	case to == breaker.Open:
		m.total.Opened++
		if m.mode == breaker.ForcedOpen {
			break
		}
		change.openFor = m.drawn(m.generation)
		high := min(1.5*float64(m.o.OpenFor)*math.Exp2(float64(m.openings)), float64(m.o.MaxOpenFor))
		low := max(high/1.5, float64(m.o.OpenFor))
		if d := float64(change.openFor); d < math.Floor(low) || d > max(high, low) {
			m.fault = fmt.Sprintf("opening %d in a row lasts %v", m.openings+1, change.openFor)
		}
		m.openings++
		m.until = at + change.openFor
	}
	m.made = append(m.made, change)
}

// settle makes what is due by now.
func (m *model) settle() {
	for {
		switch {
		case m.state == breaker.Open && m.mode != breaker.ForcedOpen && m.now >= m.until:
			m.move(breaker.HalfOpen, m.until, modelRatios{})
		case m.state == breaker.HalfOpen && len(m.probes) > 0 && m.now >= m.probes[0].deadline:
			p := m.probes[0]
			m.probes = m.probes[1:]
			m.result(p.permit, true, p.deadline)
		case m.nextHung() <= m.now && (m.ramp == 0 || m.nextHung() < m.ramp):
			m.countHung(m.nextHung())
		case m.ramp != 0 && m.now >= m.ramp:
			m.ramp, m.openings = 0, 0
		default:
			return
		}
	}
}

// tell is what the listener does, after a step: for each change in order it makes a call that succeeds.
func (m *model) tell() {
	if m.telling {
		return
	}
	m.telling = true
	for ; m.untold < len(m.made); m.untold++ {
		if m.chats {
			if p := m.allow(false); p != nil {
				m.done(p, success)
			}
		}
	}
	m.telling = false
}

func (m *model) setMode(mode breaker.Mode) {
	m.settle()
	was := m.mode
	m.mode = mode
	switch {
	case mode == was:
	case mode == breaker.ForcedOpen && m.state != breaker.Open:
		m.move(breaker.Open, m.now, modelRatios{})
	case mode == breaker.ForcedClosed && m.state != breaker.Closed, was == breaker.ForcedOpen:
		m.move(breaker.Closed, m.now, modelRatios{})
	case mode == breaker.ForcedClosed:
		m.ramp, m.openings = 0, 0
	}
	m.tell()
}

// isSlow reports whether a call that ends is.
func (m *model) isSlow(p *modelPermit, at time.Duration) bool {
	return m.o.SlowCall > 0 && at-p.began >= m.o.SlowCall
}

// add adds to the totals.
func (m *model) add(failed, slow bool, n int64) {
	switch {
	case slow:
		m.total.Slow += n
	case failed:
		m.total.Failures += n
	default:
		m.total.Successes += n
	}
}

// result is that of a probe.
func (m *model) result(p *modelPermit, failed bool, at time.Duration) {
	p.slow = m.isSlow(p, at)
	m.add(failed, p.slow, 1)
	m.results = append(m.results, modelCall{at, failed, p.slow})
	m.decide(at)
}

func (m *model) decide(at time.Duration) {
	failed, slow := tallied(m.results)
	if m.exceeds(failed, slow, m.o.Probes) {
		m.move(breaker.Open, at, ratiosOf(m.results))
	} else if len(m.results) == m.o.Probes {
		m.move(breaker.Closed, at, ratiosOf(m.results))
	}
}

// exceeds reports whether one of the ratios is reached.
func (m *model) exceeds(failed, slow, calls int) bool {
	n := float64(max(calls, 1))
	return failed > 0 && float64(failed)/n >= m.o.FailureRatio || slow > 0 && float64(slow)/n >= m.o.SlowRatio
}

func (m *model) count(failed, slow bool) {
	m.add(failed, slow, 1)
	m.calls = append(m.calls, modelCall{m.now, failed, slow})
	m.noteRow(failed)
	m.judge(m.now)
}

func (m *model) noteRow(failed bool) {
	if m.row++; !failed {
		m.row = 0
	}
}

func (m *model) judge(at time.Duration) {
	calls := m.window(at)
	failed, slow := tallied(calls)
	byRatio := len(calls) >= m.o.MinCalls && m.exceeds(failed, slow, len(calls))
	byRow := m.o.ConsecutiveFailures > 0 && m.row >= m.o.ConsecutiveFailures
	if m.mode == breaker.ForcedClosed || !byRatio && !byRow {
		return
	}
	if byRow && !byRatio {
		m.reached["opened by a row"]++
	}
	if byRatio && float64(failed)/float64(len(calls)) < m.o.FailureRatio {
		m.reached["opened by slow calls"]++
	}
	m.move(breaker.Open, at, ratiosOf(calls))
}

// share is how many of 1024 calls a ramp lets through.
func (m *model) share() int {
	passed := m.o.Ramp - (m.ramp - m.now)
	return max(int(1024*int64(passed)/int64(m.o.Ramp)), 102)
}

// allow returns nil for a refusal.
func (m *model) allow(retry bool) *modelPermit {
	m.settle()
	p := &modelPermit{generation: m.generation, retry: retry, state: m.state, began: m.now}
	admitted := false
	switch {
	case m.state == breaker.Closed && m.ramp == 0:
		admitted = true
	case m.state == breaker.Closed:
		before := m.credit / 1024
		m.credit += m.share()
		admitted = m.credit/1024 > before
	case m.state == breaker.HalfOpen && len(m.probes) < m.o.Probes:
		admitted, p.probe = true, true
		m.probes = append(m.probes, modelProbe{p, m.now + m.o.ProbeTimeout})
	}
	switch {
	case admitted:
		if m.state == breaker.Closed {
			m.flying = append(m.flying, p)
		}
	case m.mode == breaker.Observe, m.mode == breaker.RetriesOnly && !retry:
		m.total.Spared++
		p.phase = over
	default:
		m.total.Refused++
		p = nil
	}
	m.tell()
	return p
}

func (m *model) done(p *modelPermit, o outcome) {
	if p.phase != out {
		return
	}
	m.settle()
	p.phase = over
	place := slices.IndexFunc(m.probes, func(o modelProbe) bool { return o.permit == p })
	m.flying = slices.DeleteFunc(m.flying, func(o *modelPermit) bool { return o == p })
	switch {
	case p.hung && p.generation+1 == m.lastClosed && p.generation != m.generation:
		m.reached["hung until the breaker had opened"]++
	case p.generation != m.generation || p.probe && place < 0:
		m.total.Late++
	default:
		if o == success {
			p.phase = succeeded
		}
		if p.probe {
			m.probes = slices.Delete(m.probes, place, place+1)
		}
		m.end(p, o)
	}
	m.tell()
}

// end counts a call of this generation.
func (m *model) end(p *modelPermit, o outcome) {
	switch {
	case p.hung:
		m.endHung(o)
	case o == ignored:
		m.total.Ignored++
	case p.probe:
		m.result(p, o != success, m.now)
	default:
		p.slow = m.isSlow(p, m.now)
		m.count(o != success, p.slow)
	}
}

func (m *model) amend(p *modelPermit) {
	if p.phase != succeeded {
		return
	}
	m.settle()
	p.phase = over
	switch {
	case p.generation != m.generation:
	case p.probe:
		m.add(false, p.slow, -1)
		m.add(true, p.slow, 1)
		place := slices.IndexFunc(m.results, func(c modelCall) bool { return !c.failed && c.slow == p.slow })
		m.results[place].failed = true
		m.decide(m.now)
	default:
		m.add(false, p.slow, -1)
		m.add(true, p.slow, 1)
		m.amendCall(p.slow)
		m.judge(m.now)
	}
	m.tell()
}

func (m *model) stats() breaker.Stats {
	m.settle()
	m.tell()
	s := m.total
	s.State, s.Mode = m.state, m.mode
	var calls []modelCall
	switch m.state {
	case breaker.Closed:
		calls = m.window(m.now)
		s.Share = 1
		if m.ramp != 0 {
			s.Share = float64(m.share()) / 1024
		}
	case breaker.Open:
		if m.mode != breaker.ForcedOpen {
			s.RetryAfter = m.until - m.now
		}
	case breaker.HalfOpen:
		calls = m.results
		s.Probing = len(m.probes)
	}
	failed, slow := tallied(calls)
	s.WindowCalls, s.WindowFailures, s.WindowSlow = int64(len(calls)), int64(failed), int64(slow)
	s.FailureRatio, s.SlowRatio = ratiosOf(calls).failure, ratiosOf(calls).slow
	return s
}
