package ratelimit

import (
	"errors"
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"

	"github.com/joist-go/joist/internal/options"
)

// ErrFull is returned by [Keyed.SetLimits] when MaxKeys keys have a bucket, none of them full.
var ErrFull = errors.New("joist/ratelimit: there is no place for another key")

// account is the state of a key that has more than the one plain limit, or others. The lock of its shard guards it.
type account struct {
	plan  *plan
	words []uint64
	full  uint64 // the moment at which all its buckets are, in the unit of the plain limit: so it is dropped like a word
}

// act does what to n tokens of key, and with n = 0 looks. It is the way of all that is not a take of a plain limit.
func (k *Keyed[K]) act(key K, ns int64, what op, n int64) (Result, error) {
	s, hash := k.shardOf(key)
	now := k.bucket.instant(ns)
	s.mu.Lock()
	i, there := s.table.Load().seek(hash, key)
	plan := k.plan
	switch {
	case there:
	case what == refund: // to full buckets
		s.mu.Unlock()
		return Result{}, nil
	case (n == 0 || k.limitsFor != nil) && !s.roomy(k, now.at):
		s.mu.Unlock()
		return k.spill(ns, what, n)
	case k.limitsFor != nil:
		s.mu.Unlock()
		var err error
		if plan, err = k.planFor(key); err != nil { // outside of the lock: it may call back
			return Result{}, err
		}
		ns = max(ns, k.clock.Now()) // that may have taken its time
		s.mu.Lock()
		i, there = s.table.Load().seek(hash, key)
	}
	var (
		r      Result
		v      verdict
		placed = true
	)
	if there {
		r, v, plan = s.alter(k, i, ns, what, n)
	} else {
		r, v, placed = s.begin(k, hash, key, plan, ns, what, n)
	}
	s.mu.Unlock()
	switch {
	case !placed:
		return k.spill(ns, what, n)
	case what == take && n > 0:
		plan.count(v)
	}
	return r, v.err
}

// alter does what to n tokens of the key at place i, and returns its plan.
func (s *shard[K]) alter(k *Keyed[K], i int, ns int64, what op, n int64) (r Result, v verdict, p *plan) {
	t := s.table.Load()
	if a := t.account(i); a != nil {
		r, v = a.plan.answer(a.words, ns, what, n)
		a.full = k.fullAt(a)
		s.fills(a.full)
		return r, v, a.plan
	}
	for word := &t.places[i].word; ; {
		full := word.Load()
		after := [1]uint64{full}
		r, v = k.plan.answer(after[:], ns, what, n)
		if word.CompareAndSwap(full, after[0]) { // takes go on
			s.fills(after[0])
			return r, v, k.plan
		}
	}
}

// begin is alter for a key without a bucket. It is not placed when it would need one and there is no place.
func (s *shard[K]) begin(k *Keyed[K], hash uint64, key K, p *plan, ns int64, what op, n int64) (r Result, v verdict, placed bool) {
	ns = max(ns, int64(k.bucket.reached(s.dropped))) // see shard
	var room [MaxLimits]uint64
	words := room[:len(p.buckets)]
	r, v = p.answer(words, ns, what, n)
	if slices.Max(words) == 0 {
		return r, v, true // still full
	}
	now := k.bucket.instant(ns).at
	if !s.claim(k, now) {
		return Result{}, verdict{}, false
	}
	s.place(k, hash, key, p, words, now)
	return r, v, true
}

// place puts the buckets of a key that was claimed into a place.
func (s *shard[K]) place(k *Keyed[K], hash uint64, key K, p *plan, words []uint64, now uint64) {
	if p == k.plan && k.simple {
		s.insert(k, hash, key, words[0], nil, now)
		return
	}
	a := &account{plan: p, words: slices.Clone(words)}
	a.full = max(now, k.fullAt(a))
	s.insert(k, hash, key, a.full, a, now)
}

// roomy tells whether a key may find a place: it does when a search could not be in vain.
func (s *shard[K]) roomy(k *Keyed[K], now uint64) bool {
	return k.keys.Load() < k.maxKeys || s.taken > 0 && now >= s.notUntil
}

// answer does what to n tokens and describes it.
func (p *plan) answer(words []uint64, ns int64, what op, n int64) (Result, verdict) {
	if n == 0 {
		return p.peek(words, ns), verdict{ok: true}
	}
	v := p.do(what, words, ns, n)
	return p.result(words, ns, n, v), v
}

// fullAt returns the first moment, in the unit of the plain limit, at which all buckets of a are full.
func (k *Keyed[K]) fullAt(a *account) uint64 {
	b := &k.bucket
	hi, lo := bits.Mul64(a.plan.idleAt(a.words), b.num)
	if hi >= b.den {
		return sealed - 1
	}
	at, rest := bits.Div64(hi, lo, b.den)
	if rest != 0 && at < sealed-1 {
		at++
	}
	return min(at, sealed-1)
}

// spill does what to n tokens of a key for which there is no place, in the overflow bucket, and with n = 0 looks.
func (k *Keyed[K]) spill(ns int64, what op, n int64) (r Result, err error) {
	switch {
	case n == 0:
		var room [MaxLimits]uint64
		words, _ := k.overflow.read(&room)
		r = k.plan.peek(words, ns)
	case what == take:
		k.plan.buckets[0].cell.Add(overflowed, 1)
		r, _ = k.overflow.take(ns, n)
	default:
		v, _ := k.overflow.do(what, ns, n, nil)
		err = v.err
	}
	return r, err
}

// Charge takes n tokens of key whether they are there or not: for what a call turns out to have cost. The bucket may be in
// debt then. When there is no place for key, they are those of the overflow bucket. It is not counted as a take. The errors
// are [ErrNegative], [ErrHorizon], with which nothing is taken, and what is wrong with the answer of LimitsFor.
func (k *Keyed[K]) Charge(key K, n int64) error { return k.adjust(key, charge, n) }

// Refund gives n tokens of key back that were taken and not used, to none of its buckets more than it can hold. Tokens that
// the overflow bucket gave are not given back. The error is [ErrNegative].
func (k *Keyed[K]) Refund(key K, n int64) error { return k.adjust(key, refund, n) }

func (k *Keyed[K]) adjust(key K, what op, n int64) error {
	if n < 0 {
		return ErrNegative
	}
	if n == 0 {
		return nil
	}
	_, err := k.act(key, k.clock.Now(), what, n)
	return err
}

// SetLimits gives key other limits than LimitsFor or Limits say, for as long as it has a bucket: one that is full may be
// dropped, and a key that comes back is asked for again, so LimitsFor should answer the same. Each bucket is as full then, by share,
// as that of the limit of the same name was, or else as the emptiest was; after Unlimited it is full, and after None empty. The
// error lists everything that is wrong with limits, or is [ErrFull]; nothing changes then.
func (k *Keyed[K]) SetLimits(key K, limits []Limit) error {
	next, err := k.plans.of(limits, k.cells)
	if err != nil {
		return err
	}
	k.tuned.Store(true)
	ns := k.clock.Now()
	s, hash := k.shardOf(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := k.bucket.instant(ns).at
	t := s.table.Load()
	i, there := t.seek(hash, key)
	switch {
	case there:
		full, a := t.seal(i) // takes wait for the lock now
		if a == nil {
			a = &account{plan: k.plan, words: []uint64{full}}
		}
		a = &account{plan: next, words: next.inherit(a.plan, a.words, ns)}
		a.full = max(now, k.fullAt(a))
		t.open(i, a)
		s.fills(a.full)
	case !s.claim(k, now):
		return ErrFull
	default:
		ns = max(ns, int64(k.bucket.reached(s.dropped))) // see shard
		a := &account{plan: next, words: next.full(ns)}
		a.full = max(now, k.fullAt(a))
		s.insert(k, hash, key, a.full, a, now)
	}
	return nil
}

func (k *Keyed[K]) shardOf(key K) (s *shard[K], hash uint64) {
	hash = maphash.Comparable(k.seed, key)
	return &k.shards[hash>>52&uint64(len(k.shards)-1)], hash | 1
}

// planFor returns the plan of a key that has no bucket.
func (k *Keyed[K]) planFor(key K) (*plan, error) {
	limits := k.limitsFor(key)
	if len(limits) == 0 {
		return k.plan, nil
	}
	return k.plans.of(limits, k.cells)
}

// maxPlans is how many plans are kept to be shared by keys: more than there are tiers.
const maxPlans = 64

// plans are those that keys were given last, so that keys of one tier share one.
type plans struct {
	mu    sync.Mutex
	known []*plan
	next  int // of known, the one to be replaced when there are maxPlans
}

// of returns the plan of limits, or the error that lists everything that is wrong with them.
func (c *plans) of(limits []Limit, cells *cells) (*plan, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.known {
		if p.of(limits) {
			return p, nil
		}
	}
	f := options.Check("joist/ratelimit", "LimitsFor")
	checkLimits(f, limits)
	if err := f.Err(); err != nil {
		return nil, err
	}
	p := newPlan(limits, cells)
	if len(c.known) < maxPlans {
		c.known = append(c.known, p)
		return p, nil
	}
	c.known[c.next] = p
	c.next = (c.next + 1) % maxPlans
	return p, nil
}

// of tells whether p is the plan of limits.
func (p *plan) of(limits []Limit) bool {
	return slices.EqualFunc(p.buckets, limits, func(b bucket, l Limit) bool { return b.limit == l.filled() })
}
