package breaker

import (
	"context"
	"fmt"

	"github.com/joist-go/joist/internal/attempt"
)

// Mode is what a breaker makes of its state. It is set by [Options].Mode and changed at run time by [Breaker.SetMode] or
// [Keyed.SetMode], for tests of a new breaker in production, for maintenance, and for incidents.
type Mode uint8

const (
	// Normal is the zero value: the breaker counts, changes its state, and refuses calls by it.
	Normal Mode = iota
	// ForcedOpen refuses every call until the mode changes. State is [Open]. Nothing is counted but refusals.
	ForcedOpen
	// ForcedClosed lets every call through until the mode changes. State is [Closed]. Outcomes are counted, and decide
	// nothing.
	ForcedClosed
	// Observe refuses nothing. The breaker counts and changes its state as in Normal, tells its listener, and counts in
	// [Stats].Spared each call that Normal would have refused. Such a call's outcome counts nowhere, for in Normal it would
	// not have been made. State is what it would be in Normal.
	Observe
	// RetriesOnly refuses only attempts after the first of one call, as a retry.Policy makes them. A first attempt that
	// Normal would have refused goes through, and counts as spared, as with Observe. Refusing first attempts can turn
	// the outage of a part into one of the whole: one shard is down, and the calls to all others are refused, too. Retries
	// are what a struggling dependency can do without. State is what it would be in Normal.
	RetriesOnly

	modes // how many there are
)

var modeNames = [modes]string{"normal", "forced_open", "forced_closed", "observe", "retries_only"}

// String returns "normal", "forced_open", "forced_closed", "observe" or "retries_only".
func (m Mode) String() string {
	if m >= modes {
		return "unknown"
	}
	return modeNames[m]
}

// forces returns the state in this mode of a breaker that is in the given state.
func (m Mode) forces(state State) State {
	switch m {
	case ForcedOpen:
		return Open
	case ForcedClosed:
		return Closed
	default:
		return state
	}
}

// spares reports whether a call goes through although the state refuses it.
func (m Mode) spares(ctx context.Context) bool {
	return m == Observe || m == RetriesOnly && attempt.From(ctx) == 1
}

// Mode returns the mode in force.
func (b *Breaker) Mode() Mode { return modeOf(b.word()) }

// SetMode changes the mode, from the next call on. It panics if m is none of the constants of this package.
//
// [ForcedOpen] opens the breaker and [ForcedClosed] closes it, which is a transition like any other: the listener is
// told, and calls that are out belong to the state before and count nowhere. So is leaving ForcedOpen: the breaker
// closes, with an empty window, and ramps if it has a Ramp. All other changes leave the state as it is, with what it has
// counted, and the calls that are out count as if nothing had happened.
//
// It is safe for concurrent use, does not block, but for a listener, and changes nothing when m is in force.
func (b *Breaker) SetMode(m Mode) {
	m.mustBeKnown()
	b.setMode(func() Mode { return m })
}

func (m Mode) mustBeKnown() {
	if m >= modes {
		panic(fmt.Sprintf("joist/breaker: SetMode: %d is not a mode", m))
	}
}

// setMode sets the mode that wanted returns under mu, so that of two callers the later one's stays.
func (b *Breaker) setMode(wanted func() Mode) {
	now := b.set.clock.Now()
	b.mu.Lock()
	b.settle(now)
	word, m := b.word(), wanted()
	if was := modeOf(word); m != was {
		state := stateOf(word)
		to := m.forces(state)
		if was == ForcedOpen {
			to = m.forces(Closed)
		}
		switch {
		case to != state:
			b.change(to, m, now, ratios{})
		case m == ForcedOpen || m == ForcedClosed: // the opening has no end now, the ramp is over
			b.enter(word>>generationShift, to, m, now, ratios{})
		default:
			b.show(word&^modeMask | uint64(m)<<modeShift)
		}
	}
	b.leave(context.Background())
}
