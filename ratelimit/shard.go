package ratelimit

import (
	"math"
	"sync"
	"sync/atomic"
)

const (
	firstPlaces = 16 // of a shard's first table
	sweepPlaces = 64 // looked at for full buckets, per new key that finds no place
)

// shard is a part of the buckets of a [Keyed]: a hash table with linear probing. A take of a key that has a bucket takes
// no lock: it finds the place of the key and changes its word by compare-and-swap. All else, such as to begin a bucket,
// to drop one, and what is not a take of the one plain limit, is done under the shard's lock.
//
// # Why a take needs no lock
//
// A place that has a key keeps it for as long as there is the table: the hash is stored last, so who finds it finds the
// key, and neither changes again. A bucket is dropped by sealing its word, and moved to another table by sealing it and
// putting what it was there; a sealed word never changes in a table that is not the shard's any more. So a take either
// changes a word that counts, or finds it sealed and looks again under the lock, where no table is being replaced. The
// garbage collector frees a table when the last take has left it.
//
// # Why dropping a bucket gives nothing back
//
// A bucket is dropped at a moment at which it is full, and then a take that does not find it begins with a full bucket:
// the same answer. But a reading of the clock may be old by the time it is used. A take with a reading from before the
// bucket was full would find a debt in it, and must not find a full bucket because it was dropped meanwhile. So the shard
// keeps the latest moment at which it dropped anything, and a bucket that begins does so no earlier than that.
//
// # Why finding a place is cheap
//
// A new key at the bound looks for full buckets with a hand that goes round the table and stops after sweepPlaces. Whenever
// a bucket is seen that is not full, the moment at which it will be is kept; after a whole round the earliest of them is a
// bound before which no search can succeed, and none is made. Words only grow, and a bucket that joins lowers the bound to
// its own, so the bound holds. Tokens that are given back lower it likewise. Under a flood that leaves every bucket in
// debt, a new key costs two comparisons.
//
// A dropped bucket's place is used again by its own key alone, and is free in the next table. That is made when 3/4 of
// the places are used, of a size of which at most 5/8 are taken: amortized, each new key moves a constant number of places.
type shard[K comparable] struct {
	table atomic.Pointer[table[K]] // changed under mu
	_     [cacheLine - 8]byte      // takes only read the line

	mu       sync.Mutex // guards all below, and what table says
	taken    int        // places that hold a bucket
	hand     int        // where the next search begins
	seen     int        // places that the hand has passed in its current round
	earliest uint64     // the first moment at which a bucket seen in this round is full
	notUntil uint64     // no bucket of the shard is full before this moment
	dropped  uint64     // the latest moment at which a bucket was dropped
	_        [cacheLine]byte
}

// init gives a shard its first table, which has no room.
func (s *shard[K]) init() { s.table.Store(&table[K]{places: make([]place[K], 1)}) }

// take takes n tokens, at least 1, of key from the plain bucket if they fit. It returns the word as it is then, or as it was
// when they did not. It does not find the bucket when the key has none and there is no place for one, or when it has limits
// of its own.
func (s *shard[K]) take(k *Keyed[K], hash uint64, key K, now instant, n int64) (full uint64, ok, found bool) {
	t := s.table.Load()
	if i, there := t.probe(hash, key); there {
		if full, ok = t.places[i].take(&k.bucket, now, n); full != sealed {
			return full, ok, true
		}
	}
	return s.takeLocked(k, hash, key, now, n)
}

// take is shard.take in the place of the key. What is sealed is returned like what does not fit, which it never does.
func (p *place[K]) take(b *bucket, now instant, n int64) (full uint64, ok bool) {
	if n > b.burst {
		return p.word.Load(), false
	}
	for units := uint64(n) * b.cost; ; {
		full = p.word.Load()
		next, ok := b.next(full, now, units)
		if !ok {
			return full, false
		}
		if p.word.CompareAndSwap(full, next) {
			return next, true
		}
	}
}

// takeLocked is take for a key that has no bucket, or of whose place take found the seal.
func (s *shard[K]) takeLocked(k *Keyed[K], hash uint64, key K, now instant, n int64) (full uint64, ok, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table.Load()
	if i, there := t.seek(hash, key); there {
		full, ok = t.places[i].take(&k.bucket, now, n)
		return full, ok, full != sealed
	}
	if now.at < s.dropped {
		now = instant{at: s.dropped}
	}
	if n > k.bucket.burst {
		return 0, false, true
	}
	full, ok = k.bucket.next(0, now, uint64(n)*k.bucket.cost)
	if !s.claim(k, now.at) {
		return 0, false, false
	}
	s.insert(k, hash, key, full, nil, now.at)
	return full, ok, true
}

// claim counts one more key, and tells whether there is a place for it: at the bound, if a full bucket can be dropped.
func (s *shard[K]) claim(k *Keyed[K], now uint64) bool {
	for n := k.keys.Load(); n < k.maxKeys; n = k.keys.Load() {
		if k.keys.CompareAndSwap(n, n+1) {
			return true
		}
	}
	freed := s.sweep(now)
	if freed == 0 {
		return false
	}
	k.keys.Add(1 - freed)
	return true
}

// insert puts a bucket that was claimed into a place: that it had before it was dropped, or a free one.
func (s *shard[K]) insert(k *Keyed[K], hash uint64, key K, full uint64, a *account, now uint64) {
	t := s.table.Load()
	i, _ := t.seek(hash, key)
	if t.places[i].hash.Load() == 0 && 4*(t.used+1) > 3*len(t.places) {
		k.keys.Add(-s.rebuild(now))
		t = s.table.Load()
		i, _ = t.seek(hash, key)
	}
	t.set(i, hash, key, full, a)
	s.taken++
	s.fills(full)
}

// fills notes that a bucket will be full at a moment that may be earlier than those noted.
func (s *shard[K]) fills(full uint64) {
	s.notUntil = min(s.notUntil, full)
	s.earliest = min(s.earliest, full)
}

// sweep drops full buckets that the hand meets on its way and returns how many.
func (s *shard[K]) sweep(now uint64) (freed int64) {
	if s.taken == 0 || now < s.notUntil {
		return 0
	}
	t := s.table.Load()
	for range sweepPlaces {
		if full, dropped := s.drop(t, s.hand, now); dropped {
			freed++
		} else {
			s.earliest = min(s.earliest, full)
		}
		s.hand = (s.hand + 1) & (len(t.places) - 1)
		s.seen++
		if s.seen == len(t.places) {
			s.notUntil = s.earliest
			s.seen, s.earliest = 0, math.MaxUint64
			if freed > 0 || now < s.notUntil {
				break
			}
		}
	}
	return freed
}

// drop drops the bucket at place i if it is full. Otherwise it returns when it will be: never, if there is none.
func (s *shard[K]) drop(t *table[K], i int, now uint64) (full uint64, dropped bool) {
	for {
		full = t.full(i)
		if full > now {
			return full, false
		}
		if t.forget(i, full) {
			s.taken--
			s.dropped = max(s.dropped, now)
			return full, true
		}
	}
}

// rebuild makes a table with room for more, without the buckets that are full. It returns how many these are.
func (s *shard[K]) rebuild(now uint64) (freed int64) {
	old := s.table.Load()
	for i := range old.places { // first, for then it is known how many are left
		if _, dropped := s.drop(old, i, now); dropped {
			freed++
		}
	}
	size := len(old.places)
	switch {
	case size < firstPlaces:
		size = firstPlaces
	case 8*(s.taken+1) > 5*size:
		size *= 2
	case 16*(s.taken+1) < size:
		size /= 2
	}
	next := &table[K]{places: make([]place[K], size)}
	s.notUntil = math.MaxUint64
	for i := range old.places {
		if full, a := old.seal(i); full != sealed {
			p := &old.places[i]
			j, _ := next.seek(p.hash.Load(), p.key)
			next.set(j, p.hash.Load(), p.key, full, a)
			s.notUntil = min(s.notUntil, full)
		}
	}
	s.table.Store(next)
	s.hand, s.seen, s.earliest = 0, 0, math.MaxUint64
	return freed
}
