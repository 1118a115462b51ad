package breaker

import (
	"math"
	"math/rand/v2"
	"time"
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
)

func stateOf(word uint64) State { return State(word & stateMask) }

// tagOf returns the part of the generation, in a state word or a ticket, that marks the window's words.
func tagOf(word uint64) uint64 { return word >> generationShift & tagMask }

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
		t.OpenFor = b.set.opening(int(b.openings))
		b.openings++
		b.probes = nil
		b.until = addTime(at, int64(t.OpenFor))
		refuseUntil = b.until
		b.refusal.Store(&OpenError{
			Name: b.set.name, State: Open, Wait: t.OpenFor, FailureRatio: ratio,
			clock: &b.set.clock, until: b.until,
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
	b.report(t)
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
