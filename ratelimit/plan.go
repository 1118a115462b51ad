package ratelimit

import (
	"math"
	"math/bits"
	"time"
)

// plan is a list of limits that hold together: how to count in each. It does not change once it is made. The state that
// belongs to it is a word per limit, see bucket. Its methods change words that the caller guards, and count nothing, so
// that they may be tried again.
type plan struct {
	buckets []bucket
	strict  uint32 // a bit for each limit that is not a shadow
}

// newPlan returns the plan of limits, which were checked, and where each of them is counted.
func newPlan(limits []Limit, cells *cells) *plan {
	p := &plan{buckets: make([]bucket, len(limits))}
	for i, l := range limits {
		p.buckets[i] = newBucket(l)
		p.buckets[i].cell = cells.of(p.buckets[i].limit.Name)
		if !l.Shadow {
			p.strict |= 1 << i
		}
	}
	return p
}

// op is what is done to the buckets of a plan.
type op uint8

const (
	take    op = iota
	charge     // take in any case, into debt
	refund     // give back
	reserve    // take in any case what fits into full buckets
	cancel     // give a reservation back
)

// verdict is what an op came to.
type verdict struct {
	ok      bool
	binding int    // the limit that decided
	shadow  uint32 // a bit for each shadow that would have denied
	err     error
}

// do does what to n tokens, at least 1, at ns.
func (p *plan) do(what op, words []uint64, ns, n int64) verdict {
	switch what {
	case take:
		return p.take(words, ns, n)
	case charge:
		return p.force(words, ns, n, false)
	case reserve:
		if _, never := p.never(n); never {
			return p.deny(words, ns, n)
		}
		return p.force(words, ns, n, true)
	default:
		return p.refund(words, ns, n)
	}
}

// take takes n tokens from all buckets if all that are not shadows have them, else from none.
func (p *plan) take(words []uint64, ns, n int64) verdict {
	var after [MaxLimits]uint64
	v := verdict{ok: true}
	least := int64(-1)
	for i := range p.buckets {
		b := &p.buckets[i]
		if b.size == 0 || n > b.burst {
			after[i] = words[i]
			if n <= b.burst {
				continue // unlimited
			}
			if b.limit.Shadow {
				v.shadow |= 1 << i
				continue
			}
			return p.deny(words, ns, n)
		}
		now := b.instant(ns)
		next, ok := b.next(words[i], now, uint64(n)*b.cost)
		switch {
		case ok:
			after[i] = next
			if p.strict != 0 && b.limit.Shadow {
				continue
			}
			left := b.left(next, now)
			if least < 0 || left < least || left == least && p.slower(after[:], ns, left, i, v.binding) {
				least, v.binding = left, i
			}
		case b.limit.Shadow:
			v.shadow |= 1 << i
			after[i] = words[i]
		default:
			return p.deny(words, ns, n)
		}
	}
	if least < 0 {
		v.binding = p.first()
	}
	copy(words, after[:len(words)])
	return v
}

// shadowed tells whether there is a shadow.
func (p *plan) shadowed() bool { return p.strict != 1<<len(p.buckets)-1 }

// left returns the tokens in the bucket of word full.
func (b *bucket) left(full uint64, now instant) int64 {
	if at := now.at + now.part; full > at {
		return int64(b.filled(full-at) / b.cost)
	}
	return b.burst
}

// more returns how long it takes from ns until there is a token more than those that are left. A full bucket never has more.
func (b *bucket) more(full uint64, ns, left int64) time.Duration {
	if left == b.burst {
		return math.MaxInt64
	}
	return b.until(full+uint64(left+1)*b.cost-b.size, ns)
}

// slower tells whether limit i, which has as many tokens left as limit j, takes longer to have one more.
func (p *plan) slower(words []uint64, ns, left int64, i, j int) bool {
	return p.buckets[i].more(words[i], ns, left) > p.buckets[j].more(words[j], ns, left)
}

// deny returns the verdict on n tokens that do not fit: which limit denies them for the longest time, and which shadows
// would deny them, too.
func (p *plan) deny(words []uint64, ns, n int64) verdict {
	v := verdict{shadow: p.shadows(words, ns, n)}
	var never bool
	if v.binding, never = p.never(n); !never {
		_, v.binding, _ = p.earliest(words, ns, n)
	}
	return v
}

// shadows returns a bit for each shadow that would deny n tokens.
func (p *plan) shadows(words []uint64, ns, n int64) (denying uint32) {
	for i := range p.buckets {
		b := &p.buckets[i]
		if !b.limit.Shadow {
			continue
		}
		ok := n <= b.burst
		if ok && b.size != 0 {
			_, ok = b.next(words[i], b.instant(ns), uint64(n)*b.cost)
		}
		if !ok {
			denying |= 1 << i
		}
	}
	return denying
}

// never returns the limit into whose full bucket n tokens do not fit, if there is one that is not a shadow.
func (p *plan) never(n int64) (binding int, never bool) {
	for i := range p.buckets {
		if b := &p.buckets[i]; n > b.burst && !b.limit.Shadow {
			return i, true
		}
	}
	return 0, false
}

// first returns the first limit that is not a shadow, or the first.
func (p *plan) first() int {
	if p.strict == 0 {
		return 0
	}
	return bits.TrailingZeros32(p.strict)
}

// force takes n tokens from all buckets, into debt, or only from those that ever hold so many. It takes none and fails if
// one of them would be in debt past the end of its word.
func (p *plan) force(words []uint64, ns, n int64, fitting bool) verdict {
	var after [MaxLimits]uint64
	v := verdict{ok: true, binding: p.first()}
	for i := range p.buckets {
		b := &p.buckets[i]
		after[i] = words[i]
		if fitting && n > b.burst {
			v.shadow |= 1 << i
			continue
		}
		if b.size == 0 {
			continue // nothing to take from
		}
		units, ok := b.units(n)
		if ok {
			after[i], ok = b.forced(words[i], b.instant(ns), units)
		}
		if !ok {
			return verdict{binding: i, err: ErrHorizon}
		}
	}
	copy(words, after[:len(words)])
	return v
}

// refund gives n tokens back to all buckets, to none of them more than it can hold.
func (p *plan) refund(words []uint64, ns, n int64) verdict {
	for i := range p.buckets {
		b := &p.buckets[i]
		units, ok := b.units(n)
		if !ok {
			units = maxWord
		}
		words[i] = b.refunded(words[i], b.instant(ns), units)
	}
	return verdict{ok: true, binding: p.first()}
}

// cancel gives back n tokens that a reservation took and that left marks, less the units that were taken since.
func (p *plan) cancel(words []uint64, marks []mark, back []uint64, ns, n int64) verdict {
	for i := range p.buckets {
		b := &p.buckets[i]
		if n > b.burst {
			continue // a shadow, which gave none
		}
		words[i] = b.cancelled(words[i], b.instant(ns), uint64(n)*b.cost, marks[i].since(words[i], back[i]))
	}
	return verdict{ok: true, binding: p.first()}
}

// earliest returns how long it takes from ns until n tokens have come in beyond what the buckets owe, which limit takes
// the longest, and whether that can be told. Shadows do not count.
func (p *plan) earliest(words []uint64, ns, n int64) (longest time.Duration, binding int, ok bool) {
	longest = -1
	for i := range p.buckets {
		b := &p.buckets[i]
		if b.limit.Shadow {
			continue
		}
		wait, ok := b.earliest(words[i], ns, n)
		if !ok {
			return b.until(maxWord, ns), i, false // the end of its time, which is too early
		}
		if wait > longest {
			longest, binding = wait, i
		}
	}
	return max(0, longest), binding, true
}

// outlook describes n tokens that are not taken now, and come behind others: all together are total.
func (p *plan) outlook(words []uint64, ns, n, total int64) (r Result, ok bool) {
	if i, never := p.never(n); never {
		return p.result(words, ns, n, verdict{binding: i}), false
	}
	wait, binding, ok := p.earliest(words, ns, total)
	r = p.result(words, ns, 0, verdict{ok: true, binding: binding})
	r.Allowed, r.RetryAfter = false, wait
	return r, ok
}

// result describes what came of n tokens, which left the words as they are, or found them.
func (p *plan) result(words []uint64, ns, n int64, v verdict) Result {
	b := &p.buckets[v.binding]
	return b.answer(words[v.binding], ns, n, v.ok, v.shadow>>v.binding&1 != 0)
}

// peek tells how the buckets stand.
func (p *plan) peek(words []uint64, ns int64) Result {
	binding, least := p.first(), int64(-1)
	for i := range p.buckets {
		b := &p.buckets[i]
		if b.limit.Shadow && p.strict != 0 {
			continue
		}
		left := b.burst
		if b.size != 0 {
			left = b.left(words[i], b.instant(ns))
		}
		if least < 0 || left < least || left == least && p.slower(words, ns, left, i, binding) {
			binding, least = i, left
		}
	}
	return p.result(words, ns, 0, verdict{ok: true, binding: binding})
}

// idleAt returns the nanosecond at which all buckets are full.
func (p *plan) idleAt(words []uint64) (ns uint64) {
	for i := range p.buckets {
		if b := &p.buckets[i]; b.size != 0 {
			ns = max(ns, b.reached(words[i]))
		}
	}
	return ns
}

// full returns the words of buckets that are full at ns, and are not for who has an older reading of the clock.
func (p *plan) full(ns int64) []uint64 {
	words := make([]uint64, len(p.buckets))
	for i := range p.buckets {
		if b := &p.buckets[i]; b.size != 0 {
			words[i] = b.instant(ns).at
		}
	}
	return words
}

// inherit returns the words of p at ns that are as full as those of old were, by share. A limit takes after the one of
// its name, and without one after the emptiest, so that no bucket is freed by a change.
func (p *plan) inherit(old *plan, words []uint64, ns int64) []uint64 {
	after := p.full(ns)
	for i := range p.buckets {
		b := &p.buckets[i]
		if b.size == 0 {
			continue
		}
		var missing uint64
		named := false
		for j := range old.buckets {
			o := &old.buckets[j]
			m := o.missing(words[j], ns, b)
			switch same := o.limit.Name == b.limit.Name; {
			case same:
				missing, named = m, true
			case !named:
				missing = max(missing, m)
			}
			if named {
				break
			}
		}
		if missing > 0 {
			now := b.instant(ns)
			after[i], _ = b.forced(0, now, min(missing, maxWord-now.at))
		}
	}
	return after
}

// missing returns what bucket of lacks if it lacks the share of its size that b, of word full, lacks. It is rounded up.
// Without a limit nothing is missing, and all when nothing is let pass.
func (b *bucket) missing(full uint64, ns int64, of *bucket) uint64 {
	now := b.instant(ns)
	switch {
	case b.size == 0 && b.burst == 0:
		return of.size
	case b.size == 0 || full <= now.at:
		return 0
	}
	hi, lo := bits.Mul64(full-now.at, of.size)
	if hi >= b.size {
		return maxWord
	}
	missing, rest := bits.Div64(hi, lo, b.size)
	if rest != 0 {
		missing++
	}
	return min(missing, maxWord)
}
