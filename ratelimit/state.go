package ratelimit

import (
	"sync"
	"sync/atomic"
)

const cacheLine = 64

// state is a plan and its words, shared by goroutines. One limit is a lock-free word; several are words under a mutex
// that is held for a handful of comparisons, because all of them change or none.
//
// # Replacing it
//
// SetLimits seals the state, which is the last that happens to its words, and only then puts another one in its place. So
// no take falls between the two: what was taken before the seal is in the words that the new state inherits, and who
// meets the seal has taken nothing and asks again.
type state struct {
	bucket bucket // the one limit
	plan   *plan
	single bool

	_    [cacheLine]byte // the word changes with every take: what is above does not share its line
	word atomic.Uint64   // the moment at which the bucket is full; see bucket
	_    [cacheLine - 8]byte

	mu    sync.Mutex
	words []uint64          // of several limits; nil when sealed
	back  [MaxLimits]uint64 // units given back, of one limit too; see mark
}

// newState returns the state of a plan. The words are those that it begins with, nil for full buckets.
func newState(p *plan, words []uint64) *state {
	s := &state{plan: p, single: len(p.buckets) == 1}
	if words == nil {
		words = make([]uint64, len(p.buckets))
	}
	if s.single {
		s.bucket = p.buckets[0]
		s.word.Store(words[0])
		return s
	}
	s.words = words
	return s
}

// allow takes n tokens, at least 1, if they fit, and counts. It is not live when s was replaced; nothing was taken then.
func (s *state) allow(ns, n int64) (ok, live bool) {
	if s.single {
		full, ok := s.bucket.grab(&s.word, ns, n)
		if full == sealed {
			return false, false
		}
		s.bucket.count(ok)
		return ok || s.bucket.limit.Shadow, true
	}
	s.mu.Lock()
	if s.words == nil {
		s.mu.Unlock()
		return false, false
	}
	v := s.plan.take(s.words, ns, n)
	s.mu.Unlock()
	s.plan.count(v)
	return v.ok, true
}

// take is allow with an answer.
func (s *state) take(ns, n int64) (r Result, live bool) {
	if s.single {
		b := &s.bucket
		full, ok := b.grab(&s.word, ns, n)
		if full == sealed {
			return Result{}, false
		}
		b.count(ok)
		return b.answer(full, ns, n, ok, !ok && b.limit.Shadow), true
	}
	s.mu.Lock()
	if s.words == nil {
		s.mu.Unlock()
		return Result{}, false
	}
	v := s.plan.take(s.words, ns, n)
	r = s.plan.result(s.words, ns, n, v)
	s.mu.Unlock()
	s.plan.count(v)
	return r, true
}

// do does what to n tokens, at least 1. It counts nothing. A reservation leaves its marks in marks, and is cancelled by
// them; the others have none. Reservations, and what gives back, come one after the other, so that marks are exact.
func (s *state) do(what op, ns, n int64, marks []mark) (v verdict, live bool) {
	if !s.single || what >= refund {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	var room, then [MaxLimits]uint64
	before, words := room[:len(s.plan.buckets)], then[:len(s.plan.buckets)]
	for done := false; !done; done = s.store(before, words) {
		if !s.load(before) {
			return verdict{}, false
		}
		copy(words, before)
		if what == cancel {
			v = s.plan.cancel(words, marks, s.back[:], ns, n)
		} else {
			v = s.plan.do(what, words, ns, n)
		}
	}
	switch what {
	case reserve:
		for i := range marks {
			marks[i] = mark{words[i], s.back[i]}
		}
	case refund, cancel:
		for i := range words {
			if what == refund || marks[i].since(before[i], s.back[i]) > 0 {
				s.back[i] = sum(s.back[i], before[i]-words[i])
			}
		}
	}
	return v, true
}

// load copies the words, unless s was replaced. The lock is held if there are several.
func (s *state) load(words []uint64) (live bool) {
	if s.single {
		words[0] = s.word.Load()
		return words[0] != sealed
	}
	copy(words, s.words)
	return s.words != nil
}

// store puts the words in the place of those before, unless a take came first.
func (s *state) store(before, words []uint64) bool {
	if s.single {
		return words[0] == before[0] || s.word.CompareAndSwap(before[0], words[0])
	}
	copy(s.words, words)
	return true
}

// read returns the words as they are now, in room.
func (s *state) read(room *[MaxLimits]uint64) (words []uint64, live bool) {
	if !s.single {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	words = room[:len(s.plan.buckets)]
	return words, s.load(words)
}

// seal ends the state and returns its last words.
func (s *state) seal() []uint64 {
	if s.single {
		return []uint64{s.word.Swap(sealed)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.words
	s.words = nil
	return last
}
