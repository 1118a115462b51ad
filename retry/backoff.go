package retry

import (
	"fmt"
	"time"
)

// The delays of the zero [Backoff].
const (
	DefaultBase = 100 * time.Millisecond
	DefaultCap  = 10 * time.Second
)

// Backoff says how long to wait before the next attempt. It is a value without state, made by [Constant], [Linear],
// [Exponential] or [Decorrelated]: all that it needs comes in with each question. So it is safe for concurrent use, free to
// share between policies, and can be compared with ==. The zero Backoff is Exponential(DefaultBase, DefaultCap).
//
// A Backoff gives a wait for each attempt, at most its cap, and then a [Jitter] spreads it, Full unless
// [Backoff.WithJitter] says otherwise. The cap comes before the jitter, so that callers who have reached it stay spread.
//
// Delays must be positive and a cap not below its base; [New] reports what is not.
type Backoff struct {
	rule      rule
	jitter    Jitter
	base, cap time.Duration
}

// rule is how a wait grows from attempt to attempt.
type rule uint8

const (
	unset rule = iota // of the zero Backoff: the default
	constant
	linear
	exponential
	decorrelated
)

// Constant returns a Backoff whose waits do not grow: before jitter each is d. For work that fails by chance and not by
// load, such as an optimistic transaction that lost.
func Constant(d time.Duration) Backoff {
	return Backoff{rule: constant, base: d, cap: d}
}

// Linear returns a Backoff that grows by base: before jitter the wait after attempt n is base × n, at most maxDelay.
func Linear(base, maxDelay time.Duration) Backoff {
	return Backoff{rule: linear, base: base, cap: maxDelay}
}

// Exponential returns a Backoff that doubles: before jitter the wait after attempt n is base × 2ⁿ⁻¹, at most maxDelay.
// It is the one to use unless another is known to be better.
func Exponential(base, maxDelay time.Duration) Backoff {
	return Backoff{rule: exponential, base: base, cap: maxDelay}
}

// Decorrelated returns a Backoff that grows by chance: the wait is chosen evenly between base and three times the wait
// before it, at first three times base, and at most maxDelay (Brooker's decorrelated jitter; there the cap is applied
// after the choice, which makes all that have reached it wait equally long). It never waits less than base.
//
// That choice is its jitter. It takes no other: [New] reports a Decorrelated with Equal or None.
func Decorrelated(base, maxDelay time.Duration) Backoff {
	return Backoff{rule: decorrelated, base: base, cap: maxDelay}
}

// WithJitter returns b with another jitter: Full, Equal or None. [Decorrelated] takes Full only, which leaves it as it is.
func (b Backoff) WithJitter(j Jitter) Backoff {
	b.jitter = j
	return b
}

// Delay returns how long to wait after the given attempt, the first being 1, has failed, when the wait that b gave before
// that attempt was previous (0 before the first); only [Decorrelated] asks for it. The result is never negative and never
// above Cap, for any attempt number and any previous wait. It reads no clock, never blocks, and allocates nothing.
func (b Backoff) Delay(attempt int, previous time.Duration) time.Duration {
	b = b.orDefault()
	if b.base <= 0 || b.cap <= 0 { // New reports it, but Delay can be asked without New
		return 0
	}
	if b.rule == decorrelated {
		low := min(b.base, b.cap)
		return between(low, b.triple(max(previous, low)))
	}
	return b.jitter.spread(b.ceiling(max(attempt, 1)))
}

// ceiling is the wait before jitter. It compares before it multiplies, so that no attempt number can overflow.
func (b Backoff) ceiling(attempt int) time.Duration {
	switch b.rule {
	case linear:
		if b.base <= b.cap/time.Duration(attempt) {
			return b.base * time.Duration(attempt)
		}
	case exponential:
		if shift := attempt - 1; b.base <= b.cap>>shift { // shifted down far enough, the cap is 0
			return b.base << shift
		}
	}
	return b.cap
}

// triple returns three times d, at most the cap.
func (b Backoff) triple(d time.Duration) time.Duration {
	if d > b.cap/3 {
		return b.cap
	}
	return d * 3
}

// Cap returns the longest wait that Delay can give.
func (b Backoff) Cap() time.Duration { return max(b.orDefault().cap, 0) }

// String names the backoff as it is made, for messages.
func (b Backoff) String() string {
	b = b.orDefault()
	var made string
	switch b.rule {
	case constant:
		made = fmt.Sprintf("Constant(%v)", b.base)
	case linear:
		made = fmt.Sprintf("Linear(%v, %v)", b.base, b.cap)
	case decorrelated:
		made = fmt.Sprintf("Decorrelated(%v, %v)", b.base, b.cap)
	default:
		made = fmt.Sprintf("Exponential(%v, %v)", b.base, b.cap)
	}
	if b.jitter == Full {
		return made
	}
	return fmt.Sprintf("%s.WithJitter(%v)", made, b.jitter)
}

func (b Backoff) orDefault() Backoff {
	if b.rule == unset {
		return Exponential(DefaultBase, DefaultCap).WithJitter(b.jitter)
	}
	return b
}

// delaysValid and jitterValid are what New asks.
func (b Backoff) delaysValid() bool {
	b = b.orDefault()
	return b.base > 0 && b.cap >= b.base
}

func (b Backoff) jitterValid() bool {
	return b.jitter == Full || b.rule != decorrelated && b.jitter <= None
}
