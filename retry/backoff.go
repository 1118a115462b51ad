package retry

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// The delays of the zero [Backoff].
const (
	DefaultBase = 100 * time.Millisecond
	DefaultCap  = 10 * time.Second
)

// Backoff says how long to wait before the next attempt. It is a value without state, made by [Exponential], safe for
// concurrent use and free to share between policies: all that it needs comes in with each question. The zero Backoff
// is Exponential(DefaultBase, DefaultCap).
type Backoff struct {
	base, cap time.Duration
	made      bool // tells Exponential(0, 0), which New reports, from the zero Backoff
}

// Exponential returns a Backoff that doubles: before jitter the wait after attempt n is base × 2ⁿ⁻¹, at most maxDelay.
// The jitter is Full: the wait is chosen evenly between 0 and that value, which spreads the retries of many callers
// that failed together better than any narrower choice (Brooker, "Exponential Backoff And Jitter", AWS Architecture
// Blog, 2015). The cap applies before the jitter, so that callers who have reached it stay spread.
//
// Base must be positive and maxDelay at least base; [New] reports what is not.
func Exponential(base, maxDelay time.Duration) Backoff {
	return Backoff{base: base, cap: maxDelay, made: true}
}

// Delay returns how long to wait after the given attempt, the first being 1, has failed, when the wait before that
// attempt was previous (0 before the first). It is never negative and never above Cap, for any attempt number. It reads
// no clock, blocks never, and allocates nothing.
func (b Backoff) Delay(attempt int, previous time.Duration) time.Duration {
	_ = previous // an exponential wait depends on the attempt's number alone
	limit := b.ceiling(attempt)
	if limit <= 0 {
		return 0
	}
	return time.Duration(rand.Uint64N(uint64(limit) + 1))
}

// Cap returns the longest wait that Delay can give.
func (b Backoff) Cap() time.Duration { return max(b.orDefault().cap, 0) }

// String names the backoff and its delays, for messages.
func (b Backoff) String() string {
	b = b.orDefault()
	return fmt.Sprintf("Exponential(%v, %v)", b.base, b.cap)
}

// ceiling is the wait before jitter. It compares before it shifts up, so that no attempt number can overflow: shifted down
// far enough, the cap is 0.
func (b Backoff) ceiling(attempt int) time.Duration {
	b = b.orDefault()
	shift := max(attempt, 1) - 1
	if b.base > b.cap>>shift {
		return b.cap
	}
	return b.base << shift
}

func (b Backoff) orDefault() Backoff {
	if b == (Backoff{}) {
		return Exponential(DefaultBase, DefaultCap)
	}
	return b
}

func (b Backoff) valid() bool {
	b = b.orDefault()
	return b.base > 0 && b.cap >= b.base
}
