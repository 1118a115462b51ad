package breaker_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/breaker"
)

// model is a breaker without any cleverness: it keeps every call. Its openings have no jitter.
type model struct {
	span                  time.Duration
	minCalls, probes      int
	ratio                 float64
	openFor, probeTimeout time.Duration

	now        time.Duration
	state      breaker.State
	generation int
	calls      []modelCall // counted in this closed generation
	until      time.Duration
	out        []modelProbe // in the order of their deadlines
	ok, failed int          // of the probes
	total      breaker.Stats
}

type modelCall struct {
	epoch  int64
	failed bool
}

type modelProbe struct {
	id       int
	deadline time.Duration
}

// modelPermit is what the model remembers of a permit.
type modelPermit struct {
	id, generation int
	probe          bool
	phase          int // 0 out, 1 succeeded, 2 over
}

func (m *model) move(to breaker.State, at time.Duration) {
	m.state = to
	m.generation++
	m.calls, m.out, m.ok, m.failed = nil, nil, 0, 0
	if to == breaker.Open {
		m.until = at + m.openFor
		m.total.Opened++
	}
}

func (m *model) settle() {
	for {
		switch {
		case m.state == breaker.Open && m.now >= m.until:
			m.move(breaker.HalfOpen, m.until)
		case m.state == breaker.HalfOpen && len(m.out) > 0 && m.now >= m.out[0].deadline:
			at := m.out[0].deadline
			m.out = m.out[1:]
			m.result(false, at)
		default:
			return
		}
	}
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
	if float64(m.failed)/float64(m.probes) >= m.ratio {
		m.move(breaker.Open, at)
	} else if m.ok+m.failed == m.probes {
		m.move(breaker.Closed, at)
	}
}

func (m *model) window() (calls, failures int) {
	epoch := int64(m.now / m.span)
	for _, c := range m.calls {
		if c.epoch > epoch-10 {
			calls++
			if c.failed {
				failures++
			}
		}
	}
	return calls, failures
}

func (m *model) count(failed bool) {
	m.calls = append(m.calls, modelCall{int64(m.now / m.span), failed})
	m.judge()
}

func (m *model) judge() {
	if calls, failures := m.window(); calls >= m.minCalls && failures > 0 && float64(failures)/float64(calls) >= m.ratio {
		m.move(breaker.Open, m.now)
	}
}

// allow returns nil for a refusal.
func (m *model) allow(id int) *modelPermit {
	m.settle()
	switch {
	case m.state == breaker.Closed:
		return &modelPermit{id: id, generation: m.generation}
	case m.state == breaker.HalfOpen && len(m.out) < m.probes:
		m.out = append(m.out, modelProbe{id, m.now + m.probeTimeout})
		return &modelPermit{id: id, generation: m.generation, probe: true}
	default:
		m.total.Refused++
		return nil
	}
}

func (m *model) done(p *modelPermit, outcome string) {
	m.settle()
	if p.phase != 0 {
		return
	}
	p.phase = 2
	place := slices.IndexFunc(m.out, func(o modelProbe) bool { return o.id == p.id })
	switch {
	case p.generation != m.generation || p.probe && place < 0:
		m.total.Late++
		return
	case p.probe:
		m.out = slices.Delete(m.out, place, place+1)
	}
	if outcome == "success" {
		p.phase = 1
	}
	switch {
	case outcome == "ignored":
		m.total.Ignored++
	case p.probe:
		m.result(outcome == "success", m.now)
	case outcome == "success":
		m.total.Successes++
		m.count(false)
	default:
		m.total.Failures++
		m.count(true)
	}
}

func (m *model) amend(p *modelPermit) {
	m.settle()
	if p.phase != 1 {
		return
	}
	p.phase = 2
	if p.generation != m.generation {
		return
	}
	m.total.Successes--
	m.total.Failures++
	if p.probe {
		m.ok--
		m.failed++
		m.decide(m.now)
		return
	}
	epoch := int64(m.now / m.span)
	for i, c := range slices.Backward(m.calls) {
		if !c.failed && c.epoch > epoch-10 {
			m.calls = slices.Delete(m.calls, i, i+1)
			break
		}
	}
	m.count(true)
}

// step is one operation of a run: what, and a number that chooses among permits or times.
type step struct {
	Op string
	N  int
}

func TestABreakerDoesWhatTheModelDoes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := breaker.Options{
			Window:       breaker.Last(time.Second),
			MinCalls:     rapid.IntRange(1, 8).Draw(rt, "minCalls"),
			FailureRatio: rapid.SampledFrom([]float64{0.1, 0.5, 0.75, 1}).Draw(rt, "ratio"),
			Probes:       rapid.IntRange(1, 4).Draw(rt, "probes"),
			OpenFor:      rapid.SampledFrom([]time.Duration{time.Millisecond, 300 * time.Millisecond, 3 * time.Second}).Draw(rt, "openFor"),
			ProbeTimeout: rapid.SampledFrom([]time.Duration{time.Millisecond, 200 * time.Millisecond, 5 * time.Second}).Draw(rt, "probeTimeout"),
		}
		o.MaxOpenFor = o.OpenFor
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				rapid.SampledFrom([]string{
					"allow", "allow", "allow", "success", "success", "failure", "ignored", "amend", "again", "sleep",
				}).Draw(rt, "op"),
				rapid.IntRange(0, 99).Draw(rt, "n"),
			}
		}), 100, 300).Draw(rt, "steps") // short runs reach little
		var fault string
		// rapid's own goroutine stays outside the bubble, and must be the one that reports.
		synctest.Test(t, func(*testing.T) { fault = compare(o, steps) })
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// compare runs the steps on a breaker and on the model, and tells the first difference.
func compare(o breaker.Options, steps []step) string {
	b := must(breaker.New(o))
	m := &model{
		span: 100 * time.Millisecond, minCalls: o.MinCalls, ratio: o.FailureRatio, probes: o.Probes,
		openFor: o.OpenFor, probeTimeout: o.ProbeTimeout,
	}
	var permits []*breaker.Permit
	var modelPermits []*modelPermit
	sleeps := []time.Duration{
		1, time.Millisecond, 99 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 999 * time.Millisecond, time.Second,
		o.OpenFor - 1, o.OpenFor, o.ProbeTimeout, time.Minute,
	}
	for i, s := range steps {
		switch s.Op {
		case "sleep":
			d := sleeps[s.N%len(sleeps)]
			time.Sleep(d)
			m.now += d
		case "allow":
			p := new(breaker.Permit)
			var err error
			*p, err = b.Allow(context.Background())
			want := m.allow(len(permits))
			if (err == nil) != (want != nil) {
				return fmt.Sprintf("step %d, allow: %v, but the model says %+v", i, err, want)
			}
			if err == nil {
				permits = append(permits, p)
				modelPermits = append(modelPermits, want)
			}
		default:
			phase := map[string]int{"amend": 1, "again": 2}[s.Op] // otherwise 0: a call that is out
			var candidates []int
			for n, p := range modelPermits {
				if p.phase == phase {
					candidates = append(candidates, n)
				}
			}
			if len(candidates) == 0 {
				continue
			}
			n := candidates[s.N%len(candidates)]
			switch s.Op {
			case "success":
				permits[n].Done(nil)
				m.done(modelPermits[n], s.Op)
			case "failure":
				permits[n].Done(errDown)
				m.done(modelPermits[n], s.Op)
			case "ignored":
				permits[n].Done(breaker.Ignore(errDown))
				m.done(modelPermits[n], s.Op)
			case "amend":
				permits[n].Amend(errDown)
				m.amend(modelPermits[n])
			case "again":
				permits[n].Done(errDown)
				permits[n].Amend(errDown)
			}
		}
		m.settle()
		if got, want := b.Stats(), m.stats(); got != want {
			return fmt.Sprintf("after step %d, %+v:\nthe breaker: %+v\nthe model:   %+v", i, s, got, want)
		}
	}
	return ""
}

func (m *model) stats() breaker.Stats {
	s := m.total
	s.State = m.state
	calls, failures := m.window()
	switch m.state {
	case breaker.Closed:
		s.Share = 1
	case breaker.Open:
		s.RetryAfter = m.until - m.now
	case breaker.HalfOpen:
		calls, failures = m.ok+m.failed, m.failed
		s.Probing = len(m.out)
	}
	s.WindowCalls, s.WindowFailures = int64(calls), int64(failures)
	if calls > 0 {
		s.FailureRatio = float64(failures) / float64(calls)
	}
	return s
}
