package ratelimit

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/internal/telemetry"
)

// maxExact bounds the tokens of a reduced fraction Tokens/Per up to which a bucket counts without any rounding: at 16,
// a word still holds 18 years of uptime and a fill time of 18 years.
const maxExact = 16

const (
	// maxWord is the largest value of a bucket's time and of its capacity, so that their sum fits a word. What forces
	// tokens out of a bucket (Charge, Reserve) brings no word beyond it.
	maxWord = math.MaxInt64

	// sealed is the word of a bucket that was replaced: more than any sum, and so far in debt that no take fits.
	sealed = math.MaxUint64
)

// bucket is what all buckets of one limit share: how to count. The state of one bucket is a single 64-bit word.
//
// # The word
//
// The algorithm is GCRA, the virtual scheduling form of the token bucket (ITU-T I.371, annex A). The word is a time: the
// moment at which the bucket will be full, counted since the origin of the block's clock. A word that is not after now is
// a full bucket, whatever its value, so that 0 is a new bucket and a full bucket holds no state.
//
//	take n:  full ≤ now:  n fits, the word becomes now + n·cost
//	         full > now:  n fits if full + n·cost − now ≤ size; the word becomes full + n·cost
//	charge n:  the word becomes max(full, now) + n·cost, however far that is
//	refund n:  the word becomes max(full − n·cost, now)
//
// The unit of the word is a part of a token, not a nanosecond: 1/cost token, and a nanosecond is num/den of them. A take
// adds a whole number of units, so takes never round and a rate does not drift however long a bucket is in use; counted
// in nanoseconds, 3 000 000 tokens per 10 ms would be taken for 3 333 333. Only time is rounded.
//
// Unit and range are chosen once per limit, from the fraction Tokens/Per in its lowest terms:
//
//   - Up to maxExact tokens (all round numbers per second, minute, hour or day, and their multiples by 3, 7, 9, 11 and
//     13): num = Tokens, den = 1, cost = Per in nanoseconds. Nothing is ever rounded.
//   - Above: cost = 2^k for the smallest k with Tokens·2^k ≥ Per, so that a nanosecond is 1 to 2 units. The reading of
//     the clock is rounded down, and up where a full bucket begins to count: between two takes never more units come in
//     than time has passed, and at most one less. So a bucket is exact to one unit, which is at most a nanosecond, and
//     never over.
//
// Range: both terms of a sum are at most 2^63−1, so sums fit the unsigned word. In the second form a nanosecond is less
// than 2 units, so 63 bits hold 73 years of uptime, and a size of 73 years is checked by New. When the clock is past
// horizon or before its origin, time stands still there: nothing wraps.
//
// # Concurrency
//
// A word changes by compare-and-swap only, or under a lock where several belong together, and only to a later time unless
// tokens are given back. The clock is read before the word, so a reading may
// be older than the word it meets: full > now then, and the take is judged as if it came at the older moment, which is
// never more generous. Neither readings out of order nor a clock that steps back give a token twice. A denial writes
// nothing, so a flood of denied calls shares the cache line.
type bucket struct {
	num, den uint64 // units per nanosecond
	cost     uint64 // units per token
	size     uint64 // units in a full bucket
	horizon  uint64 // latest reading of the clock, in nanoseconds, that counts
	burst    int64  // tokens in a full bucket: a take of more never fits
	cell     *telemetry.Cell
	limit    Limit // with its defaults filled in
}

// newBucket returns how to count limit, which was checked.
func newBucket(limit Limit) bucket {
	limit = limit.filled()
	switch {
	case limit.Tokens == Infinite:
		return bucket{num: 1, den: 1, burst: math.MaxInt64, horizon: maxWord, limit: limit}
	case limit.Burst == NoBurst:
		return bucket{num: 1, den: 1, cost: 1, horizon: maxWord, limit: limit}
	}
	tokens, per := uint64(limit.Tokens), uint64(limit.Per)
	g := gcd(tokens, per)
	tokens, per = tokens/g, per/g
	b := bucket{burst: limit.Burst, limit: limit}
	hi, size := bits.Mul64(uint64(limit.Burst), per)
	if tokens <= maxExact && hi == 0 && size <= maxWord {
		b.num, b.den, b.cost, b.size, b.horizon = tokens, 1, per, size, maxWord/tokens
		return b
	}
	k := 0
	for tokens<<k < per {
		k++
	}
	b.num, b.den, b.cost, b.size, b.horizon = tokens<<k, per, 1<<k, uint64(limit.Burst)<<k, maxFill
	return b
}

// instant is a reading of the clock in units.
type instant struct {
	at   uint64 // rounded down
	part uint64 // 1 when a part of a unit was cut off
}

// instant returns the time ns, in nanoseconds since the clock's origin, in units.
func (b *bucket) instant(ns int64) instant {
	t := b.clamp(ns)
	if b.den == 1 {
		return instant{at: t * b.num}
	}
	hi, lo := bits.Mul64(t, b.num)
	at, rest := bits.Div64(hi, lo, b.den) // hi < den: num/den < 2 and t < 2^63
	if rest != 0 {
		return instant{at, 1}
	}
	return instant{at, 0}
}

func (b *bucket) clamp(ns int64) uint64 {
	switch {
	case ns < 0:
		return 0
	case uint64(ns) > b.horizon:
		return b.horizon
	default:
		return uint64(ns)
	}
}

// reached returns the first nanosecond at which that many units have passed.
func (b *bucket) reached(units uint64) uint64 {
	hi, lo := bits.Mul64(units, b.den)
	ns, rest := bits.Div64(hi, lo, b.num) // hi < num: den ≤ num
	if rest != 0 {
		ns++
	}
	return ns
}

// next returns what the word full becomes when units are taken from its bucket now, and whether they fit. The units are
// at most the bucket's size.
func (b *bucket) next(full uint64, now instant, units uint64) (uint64, bool) {
	if full <= now.at {
		return now.at + now.part + units, true
	}
	missing := full - now.at
	return full + units, missing <= b.size && units <= b.size-missing
}

// forced is next for units that are taken in any case: it fails only past the end of the word.
func (b *bucket) forced(full uint64, now instant, units uint64) (uint64, bool) {
	if full <= now.at {
		full = now.at + now.part
	}
	return full + units, full <= maxWord && units <= maxWord-full
}

// refunded returns what the word full becomes when units are given back now: never more than a full bucket.
func (b *bucket) refunded(full uint64, now instant, units uint64) uint64 {
	at := now.at + now.part // rounded up: an older reading must not find more than there was
	if full <= at {
		return full
	}
	return full - min(units, full-at)
}

// cancelled is refunded for units of a reservation after which since units were taken: each of these holds one back. Nor is
// a bucket fuller than if what was taken since had been taken just now.
func (b *bucket) cancelled(full uint64, now instant, units, since uint64) uint64 {
	if since >= units {
		return full
	}
	after := b.refunded(full, now, units-since)
	return max(after, min(full, sum(now.at+now.part, since)))
}

// sum returns a + b, or the largest number.
func sum(a, b uint64) uint64 {
	s, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return s
}

// units returns the units of n tokens, and whether there are so many.
func (b *bucket) units(n int64) (uint64, bool) {
	hi, units := bits.Mul64(uint64(n), b.cost)
	return units, hi == 0 && units <= maxWord
}

// earliest returns how long it takes from ns until n tokens fit into the bucket of word full, whatever its burst: n may
// be what several takes one after the other need. It is false when that is past the end of the word.
func (b *bucket) earliest(full uint64, ns, n int64) (time.Duration, bool) {
	if b.size == 0 {
		return 0, n <= b.burst
	}
	units, ok := b.units(n)
	if !ok {
		return 0, false
	}
	full, ok = b.forced(full, b.instant(ns), units)
	if !ok {
		return 0, false
	}
	return b.until(full-min(full, b.size), ns), true
}

// grab takes n tokens, at least 1, from the bucket of word if they fit. It returns the word as it is then, or as it was
// when they did not fit, which is sealed when the bucket was replaced. The reading of the clock is an argument so that
// tests can step time back.
func (b *bucket) grab(word *atomic.Uint64, ns, n int64) (full uint64, ok bool) {
	if b.size == 0 || n > b.burst { // unlimited, none, or more than ever fits
		return word.Load(), n <= b.burst
	}
	now, units := b.instant(ns), uint64(n)*b.cost
	for {
		full = word.Load()
		if full == sealed {
			return full, false
		}
		next, ok := b.next(full, now, units)
		if !ok {
			return full, false
		}
		if word.CompareAndSwap(full, next) {
			return next, true
		}
	}
}

// result describes a take of n tokens that left the word full, when they fit, or found it.
func (b *bucket) result(full uint64, ns, n int64, ok bool) Result {
	r := Result{Allowed: ok, Never: n > b.burst, Remaining: b.burst, Limit: b.limit}
	if b.size == 0 {
		return r
	}
	now := b.instant(ns)
	if ok {
		// To the end of this nanosecond, in which at least a unit comes in: so the rounding when a full bucket begins
		// to count does not show.
		now.at += now.part
	}
	if full > now.at {
		r.Remaining = int64(b.filled(full-now.at) / b.cost)
		r.ResetAfter = b.until(full, ns)
	}
	if !ok && !r.Never {
		r.RetryAfter = b.until(full+uint64(n)*b.cost-b.size, ns)
	}
	return r
}

// answer is result where a shadow that denies lets the take pass.
func (b *bucket) answer(full uint64, ns, n int64, ok, shadow bool) Result {
	if !shadow {
		return b.result(full, ns, n, ok)
	}
	r := b.result(full, ns, n, false)
	r.Allowed, r.Never, r.RetryAfter = true, false, 0
	return r
}

// filled returns the units in a bucket that lacks missing. More than all are missing when the clock stepped back.
func (b *bucket) filled(missing uint64) uint64 { return b.size - min(missing, b.size) }

// until returns how long it takes from ns until that many units have passed.
func (b *bucket) until(units uint64, ns int64) time.Duration {
	at, now := b.reached(units), b.clamp(ns)
	if at <= now {
		return 0
	}
	return time.Duration(min(at-now, math.MaxInt64)) // more only when the clock stepped back by centuries
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
