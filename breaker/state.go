package breaker

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/telemetry"
)

// State is what a breaker does with calls.
type State uint8

const (
	// Closed lets every call through and counts outcomes.
	Closed State = iota
	// Open refuses every call.
	Open
	// HalfOpen lets a few calls through, the probes, and decides by their outcomes.
	HalfOpen
)

// String returns "closed", "open" or "half_open".
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half_open"
	default:
		return "unknown"
	}
}

// Transition is a change of state, as Options.OnStateChange is told of it.
type Transition struct {
	// Name is the breaker's.
	Name string
	// From and To are the states before and after.
	From, To State
	// At is when it happened, which is before it was found when time alone brought it about.
	At time.Time
	// OpenFor is for how long a breaker opens; otherwise 0.
	OpenFor time.Duration
	// FailureRatio is what decided, from 0 to 1; 0 when an opening ran out.
	FailureRatio float64
	// Generation counts the transitions of this breaker, from 1.
	Generation uint64
}

const (
	stateBits       = 2
	stateMask       = 1<<stateBits - 1
	generationShift = 26
	tagMask         = 1<<(64-tagShift) - 1

	maxPending = 64 // transitions that wait for a listener
)

func stateOf(word uint64) State { return State(word & stateMask) }

// tagOf returns the part of the generation, in a state word or a ticket, that marks the window's words.
func tagOf(word uint64) uint64 { return word >> generationShift & tagMask }

// probe is one of the places for calls that a half-open breaker lets out.
type probe struct {
	deadline int64  // clock reading at which it is reclaimed
	serial   uint32 // of the permit that holds it, 0 for none
}

// settle makes the transitions that time alone has brought about by now, each at the moment that it was due: an opening
// runs out, hung probes are reclaimed as failures. The caller holds mu.
func (b *Breaker) settle(now int64) {
	for {
		switch stateOf(b.word.Load()) {
		case Open:
			if now < b.until {
				return
			}
			b.move(HalfOpen, b.until, 0)
		case HalfOpen:
			hung, deadline := b.nextDeadline()
			if now < deadline {
				return
			}
			b.finishProbe(hung, failure, deadline)
		default:
			return
		}
	}
}

// nextDeadline returns the probe that is reclaimed first, and when. The caller holds mu.
func (b *Breaker) nextDeadline() (place int, deadline int64) {
	deadline = math.MaxInt64
	for i, p := range b.probes {
		if p.serial != 0 && p.deadline < deadline {
			place, deadline = i, p.deadline
		}
	}
	return place, deadline
}

// takeProbe takes a place among the probes, if one is free. The caller holds mu, and the breaker is half-open.
func (b *Breaker) takeProbe(now int64) (serial uint64, free bool) {
	if b.out == len(b.probes) {
		return 0, false
	}
	b.serial = max((b.serial+1)&serialMask, 1)
	b.probes[b.placeOf(0)] = probe{deadline: addTime(now, b.set.probeTimeout), serial: b.serial}
	b.out++
	if b.out == len(b.probes) {
		_, deadline := b.nextDeadline()
		b.refuseUntil.Store(deadline)
	}
	return uint64(b.serial), true
}

// placeOf returns the place of the probe with this serial, -1 if there is none. The caller holds mu.
func (b *Breaker) placeOf(serial uint32) int {
	return slices.IndexFunc(b.probes, func(p probe) bool { return p.serial == serial })
}

// finishProbe frees a place and decides. The caller holds mu, and the breaker is half-open.
func (b *Breaker) finishProbe(place int, o outcome, at int64) {
	b.probes[place].serial = 0
	b.out--
	b.refuseUntil.Store(math.MinInt64)
	switch o {
	case success:
		b.ok++
		b.tally.succeeded.Add(1)
	case failure:
		b.failed++
		b.tally.failed.Add(1)
	case ignored:
		b.tally.ignored.Add(1)
	}
	b.decide(at)
}

// decide opens a half-open breaker as soon as the ratio over all probes can no longer stay below FailureRatio, and
// closes it when it has the results of all and did stay below. The caller holds mu.
func (b *Breaker) decide(at int64) {
	n := len(b.probes)
	switch {
	case float64(b.failed)/float64(n) >= b.set.failureRatio:
		b.move(Open, at, float64(b.failed)/float64(b.ok+b.failed))
	case b.ok+b.failed >= n:
		b.move(Closed, at, float64(b.failed)/float64(n))
	}
}

// endProbe counts the outcome of a probe, unless it was reclaimed or the breaker has gone on without it.
func (b *Breaker) endProbe(p *Permit, o outcome) {
	now := b.set.clock.Now()
	b.mu.Lock()
	b.settle(now)
	place := -1
	if p.current() {
		place = b.placeOf(p.serial())
	}
	if place >= 0 {
		b.finishProbe(place, o, now)
	} else {
		p.setPhase(spent) // nothing was counted that could be amended
		b.tally.late.Add(1)
	}
	b.leave(p.ctx)
}

// amendProbe makes a failure of a probe's success, unless the breaker has gone on.
func (b *Breaker) amendProbe(p *Permit) {
	now := b.set.clock.Now()
	b.mu.Lock()
	b.settle(now)
	if p.current() {
		b.ok--
		b.failed++
		b.tally.succeeded.Add(-1)
		b.tally.failed.Add(1)
		b.decide(now)
	}
	b.leave(p.ctx)
}

// judge opens a closed breaker if its window says so, after a call with this permit was counted.
func (b *Breaker) judge(p *Permit, now int64) {
	if _, due := b.due(p.ticket, now); !due {
		return
	}
	b.mu.Lock()
	if p.current() {
		if ratio, due := b.due(p.ticket, now); due {
			b.move(Open, now, ratio)
		}
	}
	b.leave(p.ctx)
}

func (b *Breaker) due(ticket uint64, now int64) (ratio float64, due bool) {
	epoch := b.tally.at(now)
	ok, failed := b.tally.sum(tagOf(ticket))
	if ok+failed < b.set.minCalls || failed == 0 {
		return 0, false
	}
	ratio = float64(failed) / float64(ok+failed)
	if ratio >= b.set.failureRatio {
		return ratio, true
	}
	b.tally.settled.Store(settledKey(epoch, tagOf(ticket)))
	return ratio, false
}

// move changes the state. It prepares all that a lock-free reader of the new state looks at before the state word shows
// it. The caller holds mu.
func (b *Breaker) move(to State, at int64, ratio float64) {
	old := b.word.Load()
	t := Transition{
		Name: b.set.name, From: stateOf(old), To: to, At: b.set.clock.Time(at),
		FailureRatio: ratio, Generation: old>>generationShift + 1,
	}
	word := t.Generation<<generationShift | uint64(to)
	refuseUntil := int64(math.MinInt64)
	switch to {
	case Open:
		t.OpenFor = b.set.opening(b.openings)
		b.openings++
		b.probes = nil
		b.until = addTime(at, int64(t.OpenFor))
		refuseUntil = b.until
		b.refusal.Store(&OpenError{
			Name: b.set.name, State: Open, Wait: t.OpenFor, FailureRatio: ratio,
			clock: b.set.clock, until: b.until, timed: true,
		})
	case HalfOpen:
		last := b.refusal.Load()
		b.probes = make([]probe, b.set.probes)
		b.out, b.ok, b.failed = 0, 0, 0
		b.refusal.Store(&OpenError{
			Name: b.set.name, State: HalfOpen, Wait: min(b.set.openFor, time.Duration(b.set.probeTimeout)),
			FailureRatio: last.FailureRatio,
		})
	case Closed:
		b.openings = 0
		b.probes = nil
	}
	b.tally.reset(tagOf(word)) // nothing lands in the window any more that was let out before
	b.refuseUntil.Store(refuseUntil)
	b.word.Store(word)
	b.tally.moves[moveIndex(t.From, to)].Add(1)
	b.made = append(b.made, t)
}

// opening returns how long to stay open after the given number of openings in a row: between OpenFor × 2ⁿ and half as
// much again, at random, capped by MaxOpenFor. At the cap it is random down to two thirds of it, but not below OpenFor.
func (s *settings) opening(n int) time.Duration {
	high := min(1.5*float64(s.openFor)*math.Exp2(float64(n)), float64(s.maxOpenFor))
	low := max(high/1.5, float64(s.openFor))
	if high <= low {
		return s.openFor
	}
	if d := low + rand.Float64()*(high-low); d < high {
		return time.Duration(d)
	}
	return s.maxOpenFor
}

// addTime adds without overflow: d is not negative.
func addTime(at, d int64) int64 {
	if at > math.MaxInt64-d {
		return math.MaxInt64
	}
	return at + d
}

// leave ends a critical section: it releases mu, and tells of what happened in it.
func (b *Breaker) leave(ctx context.Context) {
	made := b.queue()
	waiting := len(b.pending) > 0 && !b.telling
	b.mu.Unlock()
	if len(made) > 0 && trace.SpanFromContext(ctx).IsRecording() {
		for _, t := range made {
			telemetry.Event(ctx, "joist.breaker.transition", t.Name, fromKey.String(t.From.String()), toKey.String(t.To.String()))
		}
	}
	if waiting {
		b.tell()
	}
}

// queue returns the transitions of this critical section, which from now on wait for the listener. The caller holds mu.
func (b *Breaker) queue() []Transition {
	made := b.made
	b.made = nil
	if b.notify != nil && len(made) > 0 {
		b.pending = append(b.pending, made...)
		b.pending = b.pending[max(len(b.pending)-maxPending, 0):]
	}
	return made
}

// tell hands the waiting transitions to the listener in order. One goroutine tells at a time, so a listener that calls
// the breaker, and brings about another change, is told of that when it has returned.
func (b *Breaker) tell() {
	returned := false
	defer func() {
		if !returned { // the listener panicked or exited the goroutine: the others wait still
			b.mu.Lock()
			b.telling = false
			more := len(b.pending) > 0
			b.mu.Unlock()
			if more {
				b.tell()
			}
		}
	}()
	b.mu.Lock()
	for !b.telling && len(b.pending) > 0 {
		t := b.pending[0]
		b.pending = b.pending[1:]
		b.telling = true
		b.mu.Unlock()
		b.notify(t)
		b.mu.Lock()
		b.telling = false
	}
	b.mu.Unlock()
	returned = true
}
