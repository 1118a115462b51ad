package ratelimit

import (
	"math"
	"sync"
)

const (
	firstPlaces = 16 // of a shard's first table
	sweepPlaces = 64 // looked at for full buckets, per new key that finds no place
)

// shard is a part of the buckets of a [Keyed]: a hash table with linear probing, and all in it under one lock that is
// held for one take. A lock, because a bucket may be dropped: nobody holds a word outside of it, so nobody takes from a
// bucket that is not there any more, and dropping needs no protocol.
//
// # Why dropping a bucket gives nothing back
//
// A bucket is dropped at a moment at which it is full, and then a take that does not find it begins with a full bucket:
// the same answer. But readings of the clock are taken before the lock and may be old by the time it is held. A take with
// a reading from before the bucket was full would find a debt in it, and must not find a full bucket because it was
// dropped meanwhile. So the shard keeps the latest moment at which it dropped anything, and a bucket that begins does so
// no earlier than that.
//
// # Why finding a place is cheap
//
// A new key at the bound looks for full buckets with a hand that goes round the table and stops after sweepPlaces: the
// hand meets buckets in an order of its own, so that each is looked at once per round. Whenever a bucket is seen that is
// not full, the moment at which it will be is kept; after a whole round the earliest of them is a bound before which no
// search can succeed, and none is made. Words only grow, and a bucket that joins lowers the bound to its own, so the bound
// holds. Tokens that are given back lower it likewise. Under a flood that leaves every bucket in debt, a new key costs two comparisons.
//
// A table is rebuilt when 3/4 of it are taken, so that the full buckets are gone and at least 1/8 of the places are free
// for new keys until the next time: amortized, each new key moves a constant number of places, and nothing is allocated
// while the number of keys in debt stays much the same.
type shard[K comparable] struct {
	mu       sync.Mutex
	places   []place[K] // a power of two, or none yet
	taken    int        // places that hold a bucket
	hand     int        // where the next search begins
	seen     int        // places that the hand has passed in its current round
	earliest uint64     // the first moment at which a bucket seen in this round is full
	notUntil uint64     // no bucket of the shard is full before this moment
	dropped  uint64     // the latest moment at which a bucket was dropped
	accounts []*account // beside places, when a key ever had other limits than the plain one
	_        [cacheLine]byte
}

// place holds the bucket of one key. Its word is not atomic: the shard's lock guards it.
type place[K comparable] struct {
	hash uint64 // odd, or 0 for a free place
	full uint64 // see bucket
	key  K
}

// take takes n tokens of key from the plain bucket if they fit, like bucket.grab. It does not find the bucket when the key
// has none and there is no place for one, or when it has limits of its own.
func (s *shard[K]) take(k *Keyed[K], hash uint64, key K, now instant, n int64) (full uint64, ok, found bool) {
	b := &k.bucket
	s.mu.Lock()
	i, there := s.find(hash, key)
	switch {
	case there && s.accounts != nil && s.accounts[i] != nil:
		s.mu.Unlock()
		return 0, false, false
	case there:
		full = s.places[i].full
	case now.at < s.dropped:
		now = instant{at: s.dropped}
	}
	if n > b.burst || n == 0 {
		s.mu.Unlock()
		return full, n == 0, true
	}
	next, ok := b.next(full, now, uint64(n)*b.cost)
	switch {
	case !ok:
	case there:
		s.places[i].full, full = next, next
	case !s.claim(k, now.at):
		s.mu.Unlock()
		return 0, false, false
	default:
		s.insert(k, place[K]{hash, next, key}, nil, now.at)
		full = next
	}
	s.mu.Unlock()
	return full, ok, true
}

// find returns the place of key, or the free place at which the search ended.
func (s *shard[K]) find(hash uint64, key K) (i int, there bool) {
	if len(s.places) == 0 {
		return 0, false
	}
	mask := len(s.places) - 1
	for i = home(hash, mask); ; i = (i + 1) & mask {
		p := &s.places[i]
		if p.hash == 0 {
			return i, false
		}
		if p.hash == hash && p.key == key {
			return i, true
		}
	}
}

// home is the place at which the search for a hash begins. The lowest bit is always set.
func home(hash uint64, mask int) int { return int(hash>>1) & mask }

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

// insert puts a bucket that was claimed into a free place.
func (s *shard[K]) insert(k *Keyed[K], p place[K], a *account, now uint64) {
	if 4*(s.taken+1) > 3*len(s.places) {
		k.keys.Add(-s.rebuild(now))
	}
	if a != nil && s.accounts == nil {
		s.accounts = make([]*account, len(s.places))
	}
	s.put(p, a)
	s.fills(p.full)
}

// fills notes that a bucket will be full at a moment that may be earlier than those noted.
func (s *shard[K]) fills(full uint64) {
	s.notUntil = min(s.notUntil, full)
	s.earliest = min(s.earliest, full)
}

func (s *shard[K]) put(p place[K], a *account) {
	mask := len(s.places) - 1
	i := home(p.hash, mask)
	for s.places[i].hash != 0 {
		i = (i + 1) & mask
	}
	s.places[i] = p
	if s.accounts != nil {
		s.accounts[i] = a
	}
	s.taken++
}

// rebuild makes room in a table of which 3/4 are taken: it drops what is full, in place when enough is, and else moves
// the rest to a larger table, or to a smaller one. It returns how many it dropped.
func (s *shard[K]) rebuild(now uint64) (freed int64) {
	live := 0
	s.notUntil = math.MaxUint64
	for i := range s.places {
		if p := &s.places[i]; p.hash != 0 && p.full > now {
			live++
			s.notUntil = min(s.notUntil, p.full)
		}
	}
	if freed = int64(s.taken - live); freed > 0 {
		s.dropped = max(s.dropped, now)
	}
	switch size := len(s.places); {
	case size == 0:
		s.move(firstPlaces, now)
	case 8*(live+1) > 5*size:
		s.move(2*size, now)
	case 16*(live+1) < size:
		s.move(size/2, now)
	default:
		for i := range s.places {
			for s.places[i].hash != 0 && s.places[i].full <= now {
				s.remove(i)
			}
		}
	}
	s.hand, s.seen, s.earliest = 0, 0, math.MaxUint64
	return freed
}

// move makes a table of that size and puts into it what is not full.
func (s *shard[K]) move(size int, now uint64) {
	old, accounts := s.places, s.accounts
	s.places, s.taken = make([]place[K], size), 0
	if accounts != nil {
		s.accounts = make([]*account, size)
	}
	for i := range old {
		if old[i].hash == 0 || old[i].full <= now {
			continue
		}
		if accounts == nil {
			s.put(old[i], nil)
		} else {
			s.put(old[i], accounts[i])
		}
	}
}

// sweep drops full buckets that the hand meets on its way and returns how many.
func (s *shard[K]) sweep(now uint64) (freed int64) {
	if s.taken == 0 || now < s.notUntil {
		return 0
	}
	for range sweepPlaces {
		p := &s.places[s.hand]
		if p.hash != 0 && p.full <= now {
			s.remove(s.hand) // another bucket may have moved here, so the hand stays
			s.dropped = max(s.dropped, now)
			freed++
			continue
		}
		if p.hash != 0 {
			s.earliest = min(s.earliest, p.full)
		}
		s.hand = (s.hand + 1) & (len(s.places) - 1)
		s.seen++
		if s.seen == len(s.places) {
			s.notUntil = s.earliest
			s.seen, s.earliest = 0, math.MaxUint64
			if freed > 0 || now < s.notUntil {
				break
			}
		}
	}
	return freed
}

// remove frees place i and moves back the buckets behind it whose search would end there.
func (s *shard[K]) remove(i int) {
	mask := len(s.places) - 1
	for j := (i + 1) & mask; s.places[j].hash != 0; j = (j + 1) & mask {
		if (j-home(s.places[j].hash, mask))&mask >= (j-i)&mask {
			s.places[i] = s.places[j]
			if s.accounts != nil {
				s.accounts[i] = s.accounts[j]
			}
			i = j
		}
	}
	s.places[i] = place[K]{}
	if s.accounts != nil {
		s.accounts[i] = nil
	}
	s.taken--
}
