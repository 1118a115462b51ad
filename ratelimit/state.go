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
	words []uint64 // of several limits; nil when sealed
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

// take is allow with an answer. A take that is not allowed is counted only if refusals are.
func (s *state) take(ns, n int64, refusals bool) (r Result, live bool) {
	if s.single {
		b := &s.bucket
		full, ok := b.grab(&s.word, ns, n)
		if full == sealed {
			return Result{}, false
		}
		if ok || b.limit.Shadow || refusals {
			b.count(ok)
		}
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
	if v.ok || refusals {
		s.plan.count(v)
	}
	return r, true
}

// do does what to n tokens, at least 1, and puts the words as they are then into marks, unless that is nil. It counts
// nothing.
func (s *state) do(what op, ns, n int64, marks []uint64) (v verdict, live bool) {
	if !s.single {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.words == nil {
			return verdict{}, false
		}
		v = s.plan.do(what, s.words, ns, n)
		copy(marks, s.words)
		return v, true
	}
	for {
		full := s.word.Load()
		if full == sealed {
			return verdict{}, false
		}
		words := [1]uint64{full}
		v = s.plan.do(what, words[:], ns, n)
		if words[0] == full || s.word.CompareAndSwap(full, words[0]) {
			copy(marks, words[:])
			return v, true
		}
	}
}

// change calls fn with the words, for a single limit again if another take comes first. What fn changes counts if it
// returns true.
func (s *state) change(fn func(words []uint64) bool) (live bool) {
	if !s.single {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.words == nil {
			return false
		}
		fn(s.words)
		return true
	}
	for {
		full := s.word.Load()
		if full == sealed {
			return false
		}
		words := [1]uint64{full}
		if !fn(words[:]) || words[0] == full || s.word.CompareAndSwap(full, words[0]) {
			return true
		}
	}
}

// look is change for who changes nothing.
func (s *state) look(fn func(words []uint64)) (live bool) {
	return s.change(func(words []uint64) bool { fn(words); return false })
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
