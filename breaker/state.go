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
	// Mode is the mode in force after it. It is [ForcedOpen] or [ForcedClosed] if [Breaker.SetMode] brought it about.
	Mode Mode
	// At is when it happened, which is before it was found when time alone brought it about.
	At time.Time
	// OpenFor is for how long a breaker opens; otherwise, and when it is forced open, 0.
	OpenFor time.Duration
	// FailureRatio is the share of failures that was there when it was decided, from 0 to 1; 0 when an opening ran out or a mode began or ended.
	FailureRatio float64
	// SlowRatio is the share of slow calls then, likewise; see [Options].SlowCall.
	SlowRatio float64
	// Generation counts the transitions of this breaker, from 1.
	Generation uint64
}

// The layout of the state word, which is explained at Breaker.
const (
	stateBits       = 2
	stateMask       = 1<<stateBits - 1
	modeShift       = stateBits
	modeMask        = 7 << modeShift
	rampFlag        = 1 << 5
	keyedFlag       = 1 << 6
	timedFlag       = 1 << 7
	plainMask       = 1<<8 - 1 // a call needs no second look when all of these are 0
	generationShift = 26
	tagMask         = 1<<(64-tagShift) - 1
)

func stateOf(word uint64) State { return State(word & stateMask) }

func modeOf(word uint64) Mode { return Mode(word & modeMask >> modeShift) }

// era is a state word with its breaker. It does not change: another word is another era, perhaps of the same generation.
type era struct {
	b    *Breaker
	word uint64
}

// lasts reports whether the breaker is in the generation of e.
func (e *era) lasts() bool {
	now := e.b.era.Load()
	return now == e || now.word>>generationShift == e.word>>generationShift
}

// word returns the state word.
func (b *Breaker) word() uint64 { return b.era.Load().word }

// show makes word the state word. The caller holds mu, or is the constructor.
func (b *Breaker) show(word uint64) { b.era.Store(&era{b, word}) }

// tagOf returns the part of the generation, in a state word, that marks the window's words.
func tagOf(word uint64) uint64 { return word >> generationShift & tagMask }

// judge opens a closed breaker if its window says so, after a call with this permit was counted.
func (b *Breaker) judge(p *Permit, now int64) {
	tag := tagOf(p.era.word)
	if _, due := b.tally.due(b.set.limits, now, tag); !due {
		return
	}
	if modeOf(b.word()) == ForcedClosed {
		b.tally.unsettle() // when the mode ends, the next outcome is to look again
		return
	}
	b.mu.Lock()
	b.settle(now)
	if p.era.lasts() && modeOf(b.word()) != ForcedClosed {
		if r, due := b.tally.due(b.set.limits, now, tag); due {
			b.move(Open, now, r)
		}
	}
	b.leave(p.ctx)
}

// move makes a transition, in the mode that is in force. The caller holds mu.
func (b *Breaker) move(to State, at int64, r ratios) {
	b.change(to, modeOf(b.word()), at, r)
}

// change makes a transition to another state, and sets the mode in the same step: no call sees the one without the
// other. The caller holds mu.
func (b *Breaker) change(to State, mode Mode, at int64, r ratios) {
	old := b.word()
	t := Transition{
		Name: b.set.name, From: stateOf(old), To: to, Mode: mode, At: b.set.clock.Time(at),
		FailureRatio: r.failure, SlowRatio: r.slow, Generation: old>>generationShift + 1,
	}
	b.tally.reset(t.Generation & tagMask) // nothing lands in the window any more that was let out before
	if b.flights != nil {
		b.flights.reset(t.From, tagOf(old), t.Generation&tagMask)
	}
	t.OpenFor = b.enter(t.Generation, to, mode, at, r)
	b.tally.moves[moveIndex(t.From, to)].Add(1)
	b.report(t)
}

// enter prepares all that a lock-free reader of a state looks at, before the state word shows it. It returns for how
// long the breaker opens. The caller holds mu, or is the constructor.
func (b *Breaker) enter(generation uint64, state State, mode Mode, at int64, r ratios) (openFor time.Duration) {
	flags := uint64(mode) << modeShift
	if b.set.keyed {
		flags |= keyedFlag
	}
	if b.flights != nil {
		flags |= timedFlag
	}
	refuseUntil := int64(math.MinInt64)
	switch {
	case mode == ForcedOpen:
		refuseUntil = math.MaxInt64
		b.until.Store(refuseUntil)
		b.refusal.Store(&OpenError{Name: b.set.name, State: Open, Forced: true, Wait: b.set.openFor})
	case state == Open:
		openFor = b.set.opening(int(b.openings))
		b.openings++
		refuseUntil = addTime(at, int64(openFor))
		b.until.Store(refuseUntil)
		b.refusal.Store(&OpenError{
			Name: b.set.name, State: Open, Wait: openFor, FailureRatio: r.failure, SlowRatio: r.slow,
			clock: &b.set.clock, until: refuseUntil,
		})
	case state == HalfOpen:
		last := b.refusal.Load()
		b.refusal.Store(&OpenError{
			Name: b.set.name, State: HalfOpen, Wait: min(b.set.openFor, time.Duration(b.set.probeTimeout)),
			FailureRatio: last.FailureRatio, SlowRatio: last.SlowRatio,
		})
	case mode == ForcedClosed || b.set.ramp == 0 || stateOf(b.word()) == Closed:
		b.openings = 0
	default:
		flags |= rampFlag
		b.startRamp(at, r)
	}
	b.trial = nil
	b.refuseUntil.Store(refuseUntil)
	b.show(generation<<generationShift | flags | uint64(state))
	return openFor
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
