package balance_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/pool/balance"
)

// The options of the model: two failures in a row make an endpoint bad.
const (
	modelRow     = 2
	modelEject   = time.Second
	modelLongest = 3 * time.Second
	modelSlow    = 2 * time.Second
)

// peer is an endpoint of the model. A peer that leaves is another when it comes again.
type peer struct {
	name                         string
	gone, bad, ejected, ramping  bool
	row, inflight, times, serial int
	generation                   int
	until, back, ramp            time.Duration
}

type visit struct {
	to         *peer
	generation int
	pick       balance.Pick[string]
}

// model is what a balancer is: peers that fail, are left alone, and come back. Which of those that serve is picked is
// the balancer's to choose.
type model struct {
	b      *balance.Balancer[string]
	share  float64
	panics float64
	began  time.Time
	serial int
	peers  []*peer
	out    []*visit
	fault  string

	successes, failures, ignored, refused, ejections int64
}

type step struct {
	do string
	n  int
}

func steps() *rapid.Generator[[]step] {
	kind := rapid.SampledFrom([]string{"pick", "pick", "pick", "succeed", "fail", "fail", "fail", "ignore", "wait", "set"})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{kind.Draw(t, "do"), rapid.IntRange(0, 127).Draw(t, "n")}
	}), 40, 120)
}

func TestABalancerIsItsModelInEveryOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{
			share:  rapid.SampledFrom([]float64{0.2, 0.5, 1}).Draw(rt, "share"),
			panics: rapid.SampledFrom([]float64{0.5, 0.7, balance.Off}).Draw(rt, "panic"),
		}
		all := steps().Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			m.began = time.Now()
			m.b = newBalancer(t, balance.Options[string]{
				ConsecutiveFailures: modelRow, FailureRatio: balance.Off, EjectFor: modelEject, MaxEjectFor: modelLongest,
				MaxEjected: m.share, PanicAt: m.panics, SlowStart: modelSlow,
			})
			m.set(0b11111)
			for i, s := range all {
				m.run(t, s)
				m.compare(i, s)
			}
			for len(m.out) > 0 {
				m.done(0, nil)
			}
			m.compare(len(all), step{"end", 0})
		})
		if m.fault != "" {
			rt.Fatal(m.fault)
		}
	})
}

func (m *model) fail(format string, args ...any) {
	if m.fault == "" {
		m.fault = fmt.Sprintf(format, args...)
	}
}

func (m *model) run(t *testing.T, s step) {
	switch s.do {
	case "pick":
		m.pick(t, s.n)
	case "succeed":
		m.done(s.n, nil)
	case "fail":
		m.done(s.n, errDown)
	case "ignore":
		m.done(s.n, balance.Ignore(errDown))
	case "wait":
		time.Sleep(time.Duration(s.n) * 20 * time.Millisecond)
		m.settle()
	case "set":
		m.set(s.n)
	}
}

// pick excludes the endpoints of a mask.
func (m *model) pick(t *testing.T, mask int) {
	var exclude []string
	for i, name := range names(7) {
		if mask&(1<<i) != 0 {
			exclude = append(exclude, name)
		}
	}
	var serving, wanted []string
	for _, p := range m.peers {
		if !p.ejected {
			serving = append(serving, p.name)
			if !slices.Contains(exclude, p.name) {
				wanted = append(wanted, p.name)
			}
		}
	}
	v := &visit{}
	var err error
	v.pick, err = m.b.Pick(t.Context(), exclude...)
	if err != nil {
		m.refused++
		if len(serving) > 0 {
			m.fail("refused while %v serve: %v", serving, err)
		}
		return
	}
	if len(wanted) == 0 {
		wanted = serving
	}
	if !slices.Contains(wanted, v.pick.Endpoint) {
		m.fail("picked %q, without %v want one of %v", v.pick.Endpoint, exclude, wanted)
		return
	}
	v.to = m.peers[slices.IndexFunc(m.peers, func(p *peer) bool { return p.name == v.pick.Endpoint })]
	v.generation = v.to.generation
	v.to.inflight++
	m.out = append(m.out, v)
}

func (m *model) done(n int, err error) {
	if len(m.out) == 0 {
		return
	}
	n %= len(m.out)
	v := m.out[n]
	m.out = slices.Delete(m.out, n, n+1)
	v.pick.Done(err)
	p := v.to
	p.inflight--
	counts := v.generation == p.generation && !p.gone
	switch {
	case err == nil:
		m.successes++
		if !counts {
			return
		}
		p.row = 0
		if p.bad {
			m.serve(p, time.Since(m.began))
			m.eject()
		}
	case err != errDown:
		m.ignored++
	default:
		m.failures++
		if !counts || p.bad {
			return
		}
		if p.row++; p.row >= modelRow {
			m.condemn(p)
		}
	}
}

func (m *model) condemn(p *peer) {
	now := time.Since(m.began)
	m.serial++
	p.times = max(p.times-int((now-p.back)/modelEject), 0) + 1
	p.times = min(p.times, int(modelLongest/modelEject))
	p.bad, p.ramping, p.serial, p.row = true, false, m.serial, 0
	p.until = now + min(time.Duration(p.times)*modelEject, modelLongest)
	p.generation++
	m.eject()
}

func (m *model) serve(p *peer, from time.Duration) {
	if p.ejected {
		p.ramping, p.ramp = true, from
	}
	p.bad, p.ejected, p.back, p.row = false, false, from, 0
	p.generation++
}

// settle makes what time has brought about.
func (m *model) settle() {
	now := time.Since(m.began)
	for _, p := range m.peers {
		if p.bad && p.until <= now {
			m.serve(p, p.until)
		}
		if p.ramping && now-p.ramp >= modelSlow {
			p.ramping = false
		}
	}
	m.eject()
}

// eject decides who of the bad is ejected: the first of them, as many as may be.
func (m *model) eject() {
	var bad []*peer
	for _, p := range m.peers {
		if p.bad {
			bad = append(bad, p)
		}
	}
	slices.SortFunc(bad, func(x, y *peer) int { return x.serial - y.serial })
	room := m.room()
	if m.panic(len(bad)) {
		room = 0
	}
	for i, p := range bad {
		if i < room && !p.ejected {
			m.ejections++
		}
		p.ejected = i < room
	}
}

func (m *model) room() int {
	switch n := len(m.peers); {
	case m.share == 1:
		return n
	case n < 2:
		return 0
	default:
		return max(1, int(m.share*float64(n)))
	}
}

func (m *model) panic(bad int) bool {
	return m.panics != balance.Off && float64(bad) > m.panics*float64(len(m.peers))
}

func (m *model) set(mask int) {
	var list []string
	var peers []*peer
	for i, name := range names(7) {
		if mask&(1<<i) == 0 {
			continue
		}
		list = append(list, name)
		at := slices.IndexFunc(m.peers, func(p *peer) bool { return p.name == name })
		if at >= 0 {
			peers = append(peers, m.peers[at])
			continue
		}
		now := time.Since(m.began)
		peers = append(peers, &peer{name: name, back: now, ramp: now, ramping: len(m.peers) > 0})
	}
	for _, p := range m.peers {
		p.gone = !slices.Contains(peers, p)
	}
	m.peers = peers
	if err := m.b.SetEndpoints(list); err != nil {
		m.fail("%v", err)
	}
	m.eject()
}

func (m *model) compare(i int, s step) {
	want := balance.Stats{Successes: m.successes, Failures: m.failures, Ignored: m.ignored, Refused: m.refused, Ejections: m.ejections}
	var states []balance.Endpoint[string]
	now := time.Since(m.began)
	for _, p := range m.peers {
		e := balance.Endpoint[string]{Endpoint: p.name, InFlight: p.inflight}
		want.InFlight += p.inflight
		switch {
		case p.ejected:
			e.State = balance.Ejected
			want.Ejected++
		case p.bad:
			e.State = balance.Suspect
			want.Suspect++
		case p.ramping:
			e.State = balance.SlowStart
			want.SlowStart++
		default:
			want.Ready++
		}
		if p.bad {
			e.Back = p.until - now
		}
		states = append(states, e)
	}
	want.Panic = m.panic(want.Ejected + want.Suspect)
	got := m.b.Stats()
	got.Typical = 0
	if got != want {
		m.fail("step %d %+v: got %+v, want %+v", i, s, got, want)
	}
	if got.Ejected > m.room() {
		m.fail("step %d %+v: %d ejected, more than %d", i, s, got.Ejected, m.room())
	}
	all := m.b.Endpoints()
	for i := range all {
		all[i].Latency = 0
	}
	if !slices.Equal(all, states) {
		m.fail("step %d %+v: got %+v, want %+v", i, s, all, states)
	}
}
