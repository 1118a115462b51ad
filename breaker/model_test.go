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
	until      time.Duration
	openings   int
	ramp       time.Duration // when it ends, or 0
	credit     int
	probes     []modelProbe // that are out, in the order of their deadlines
	ok, failed int          // of the probes
	total      breaker.Stats

	made    []modelChange
	untold  int // how many of them the listener was not yet told
	telling bool
	drawn   func(generation uint64) time.Duration // what the breaker drew for an opening
	fault   string
}

type modelCall struct {
	at     time.Duration
	failed bool
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
	ratio    float64
}

// modelPermit is what the model remembers of a permit.
type modelPermit struct {
	generation uint64
	probe      bool
	phase      int // out, succeeded, over
	retry      bool
}

const (
	out = iota
	succeeded
	over
)

func newModel(o breaker.Options, chats bool, drawn func(uint64) time.Duration) *model {
	m := &model{o: o, chats: chats, mode: o.Mode, drawn: drawn}
	if m.mode == breaker.ForcedOpen {
		m.state = breaker.Open
	}
	return m
}

// move makes a transition.
func (m *model) move(to breaker.State, at time.Duration, ratio float64) {
	change := modelChange{from: m.state, to: to, mode: m.mode, at: at, ratio: ratio}
	m.state = to
	m.generation++
	m.calls, m.probes, m.ok, m.failed, m.ramp = nil, nil, 0, 0, 0
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
			m.move(breaker.HalfOpen, m.until, 0)
		case m.state == breaker.HalfOpen && len(m.probes) > 0 && m.now >= m.probes[0].deadline:
			at := m.probes[0].deadline
			m.probes = m.probes[1:]
			m.result(false, at)
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
		m.move(breaker.Open, m.now, 0)
	case mode == breaker.ForcedClosed && m.state != breaker.Closed, was == breaker.ForcedOpen:
		m.move(breaker.Closed, m.now, 0)
	case mode == breaker.ForcedClosed:
		m.ramp, m.openings = 0, 0
	}
	m.tell()
}

// result is that of a probe.
func (m *model) result(ok bool, at time.Duration) {
	if ok {
		m.ok++
		m.total.Successes++
	} else {
		m.failed++
		m.total.Failures++
	}
	m.decide(at)
}

func (m *model) decide(at time.Duration) {
	if float64(m.failed)/float64(m.o.Probes) >= m.o.FailureRatio {
		m.move(breaker.Open, at, float64(m.failed)/float64(m.ok+m.failed))
	} else if m.ok+m.failed == m.o.Probes {
		m.move(breaker.Closed, at, float64(m.failed)/float64(m.o.Probes))
	}
}

func (m *model) count(failed bool) {
	m.calls = append(m.calls, modelCall{m.now, failed})
	m.judge()
}

func (m *model) judge() {
	calls, failures := m.window()
	ratio := float64(failures) / float64(max(calls, 1))
	if calls >= m.o.MinCalls && failures > 0 && ratio >= m.o.FailureRatio && m.mode != breaker.ForcedClosed {
		m.move(breaker.Open, m.now, ratio)
	}
}

// share is how many of 1024 calls a ramp lets through.
func (m *model) share() int {
	passed := m.o.Ramp - (m.ramp - m.now)
	return max(int(1024*int64(passed)/int64(m.o.Ramp)), 102)
}

// allow returns nil for a refusal.
func (m *model) allow(retry bool) *modelPermit {
	m.settle()
	p := &modelPermit{generation: m.generation, retry: retry}
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
	switch {
	case p.generation != m.generation || p.probe && place < 0:
		m.total.Late++
		m.tell()
		return
	case p.probe:
		m.probes = slices.Delete(m.probes, place, place+1)
	}
	switch {
	case o == ignored:
		m.total.Ignored++
	case p.probe:
		m.result(o == success, m.now)
	case o == success:
		m.total.Successes++
		m.count(false)
	default:
		m.total.Failures++
		m.count(true)
	}
	if o == success {
		p.phase = succeeded
	}
	m.tell()
}

func (m *model) amend(p *modelPermit) {
	if p.phase != succeeded {
		return
	}
	m.settle()
	p.phase = over
	if p.generation != m.generation {
		return
	}
	m.total.Successes--
	m.total.Failures++
	if p.probe {
		m.ok--
		m.failed++
		m.decide(m.now)
	} else {
		m.amendCall()
		m.judge()
	}
	m.tell()
}

func (m *model) stats() breaker.Stats {
	m.settle()
	m.tell()
	s := m.total
	s.State, s.Mode = m.state, m.mode
	switch m.state {
	case breaker.Closed:
		calls, failures := m.window()
		s.WindowCalls, s.WindowFailures = int64(calls), int64(failures)
		s.Share = 1
		if m.ramp != 0 {
			s.Share = float64(m.share()) / 1024
		}
	case breaker.Open:
		if m.mode != breaker.ForcedOpen {
			s.RetryAfter = m.until - m.now
		}
	case breaker.HalfOpen:
		s.WindowCalls, s.WindowFailures = int64(m.ok+m.failed), int64(m.failed)
		s.Probing = len(m.probes)
	}
	if s.WindowCalls > 0 {
		s.FailureRatio = float64(s.WindowFailures) / float64(s.WindowCalls)
	}
	return s
}

// window returns what is in the window, and forgets what has left it.
func (m *model) window() (calls, failures int) {
	span := modelWindow / 10
	first := slices.IndexFunc(m.calls, func(c modelCall) bool { return int64(c.at/span) > int64(m.now/span)-10 })
	if first < 0 {
		first = len(m.calls)
	}
	if m.byCalls() {
		first = max(len(m.calls)-modelCalls, 0)
	}
	m.calls = m.calls[first:]
	for _, c := range m.calls {
		if c.failed {
			failures++
		}
	}
	return len(m.calls), failures
}

func (m *model) byCalls() bool { return m.o.Window == breaker.LastCalls(modelCalls) }

// amendCall turns a success into a failure, which counts now.
func (m *model) amendCall() {
	m.window()
	for i, c := range slices.Backward(m.calls) {
		if !c.failed && m.byCalls() {
			m.calls[i].failed = true // where it stands
			return
		}
		if !c.failed {
			m.calls = slices.Delete(m.calls, i, i+1)
			break
		}
	}
	m.calls = append(m.calls, modelCall{m.now, true})
}
