package balance

import (
	"fmt"
	"time"
)

// State is what a balancer makes of an endpoint.
type State uint8

const (
	// Ready: it is picked by its cost alone.
	Ready State = iota
	// SlowStart: it has come back or joined, and gets a growing share of its picks.
	SlowStart
	// Suspect: it is bad, but is picked, for as many are ejected as may be, or because of a panic.
	Suspect
	// Ejected: it is bad and not picked.
	Ejected
)

var stateNames = [...]string{"ready", "slow_start", "suspect", "ejected"}

// String returns ready, slow_start, suspect or ejected.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Stats is what a balancer tells about itself, as of one moment. Counts of calls are since construction and are read one
// after the other: under load they may differ by the calls that ended meanwhile.
type Stats struct {
	Ready, SlowStart, Suspect, Ejected int // endpoints by their state

	Panic     bool          // so many endpoints are bad that none is ejected
	InFlight  int           // calls that are out, to the endpoints that are there now
	Typical   time.Duration // a moving average of what calls that succeed take, each at most 500 s; 0 if none has been timed yet
	Successes int64         // calls that were a success
	Failures  int64         // calls that failed
	Ignored   int64         // calls that told nothing
	Refused   int64         // calls for which there was no endpoint
	Ejections int64         // how many times an endpoint was ejected
}

// Stats returns a snapshot, for dashboards and tests. It looks at each endpoint and does not allocate.
func (b *Balancer[E]) Stats() Stats {
	m := b.current()
	s := Stats{
		Panic:     m.panics,
		Typical:   b.typical.Get(),
		Successes: b.cell.Total(wordSuccess),
		Failures:  b.cell.Total(wordFailure),
		Ignored:   b.cell.Total(wordIgnored),
		Refused:   b.cell.Total(wordRefused),
		Ejections: b.cell.Total(wordEjections),
		Ejected:   m.ejected,
		Suspect:   m.bad - m.ejected,
		SlowStart: m.ramping,
		Ready:     len(m.all) - m.bad - m.ramping,
	}
	for _, e := range m.all {
		s.InFlight += int(e.inflight())
	}
	return s
}

// Endpoint is what a balancer knows of one of its endpoints.
type Endpoint[E comparable] struct {
	Endpoint E
	State    State
	InFlight int           // calls that are out
	Latency  time.Duration // what a call is expected to take, at most 500 s; 0 if none has been timed yet
	Back     time.Duration // the time until it is bad no more, if it is Suspect or Ejected
}

// Endpoints tells of each endpoint, in the order in which they were given. It takes the balancer's mutex for a moment.
func (b *Balancer[E]) Endpoints() []Endpoint[E] {
	b.current()
	now := b.clock.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.members.Load()
	all := make([]Endpoint[E], 0, len(m.all))
	for _, e := range m.all {
		one := Endpoint[E]{Endpoint: e.value, InFlight: int(e.inflight())}
		if e.latency.Load() != 0 {
			one.Latency = time.Duration(e.expect(&b.rules, int64(b.typical.Get()), now))
		}
		switch {
		case e.ejected:
			one.State = Ejected
		case e.phase.Load()&badBit != 0:
			one.State = Suspect
		case e.ramp.Load() != never:
			one.State = SlowStart
		}
		if one.State >= Suspect {
			one.Back = time.Duration(max(e.until-now, 0))
		}
		all = append(all, one)
	}
	return all
}

// current returns the snapshot as of now: what time alone has brought about is in it.
func (b *Balancer[E]) current() *members[E] {
	m := b.members.Load()
	if m.due != never {
		if now := b.clock.Now(); now >= m.due {
			return b.settle(now)
		}
	}
	return m
}

// count tells how many endpoints are in a state, for telemetry.
func (b *Balancer[E]) count(state int) int64 {
	s := b.Stats()
	return int64([...]int{s.Ready, s.SlowStart, s.Suspect, s.Ejected}[state])
}
