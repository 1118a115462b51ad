package ratelimit

import "sync/atomic"

// table is the hash table of a shard, which explains its protocol. What it says without the shard's lock is where the
// place of a key is; all else is said and done under the lock.
type table[K comparable] struct {
	places   []place[K] // a power of two
	used     int        // places that have a key
	accounts []*account // beside places, when a key ever had other limits than the plain one
}

// place holds the bucket of one key.
//
// Its word is sealed when the key has an account instead, or no bucket any more, or one in another table.
type place[K comparable] struct {
	hash atomic.Uint64 // odd, or 0 for a free place; set once, after key
	word atomic.Uint64 // see bucket
	key  K
}

// probe returns the place of key, or the free place at which the search ended, and which of both it is. It needs no lock.
func (t *table[K]) probe(hash uint64, key K) (i int, there bool) {
	mask := len(t.places) - 1
	for i = home(hash, mask); ; i = (i + 1) & mask {
		p := &t.places[i]
		switch h := p.hash.Load(); {
		case h == 0:
			return i, false
		case h == hash && p.key == key:
			return i, true
		}
	}
}

// home is the place at which the search for a hash begins. The lowest bit is always set.
func home(hash uint64, mask int) int { return int(hash>>1) & mask }

// seek returns the place of key, or the free place at which the search ended, and whether there is a bucket in it.
func (t *table[K]) seek(hash uint64, key K) (i int, there bool) {
	i, there = t.probe(hash, key)
	return i, there && t.full(i) != sealed
}

// account returns the account at place i, nil when there is only a word.
func (t *table[K]) account(i int) *account {
	if t.accounts == nil {
		return nil
	}
	return t.accounts[i]
}

// full returns the moment at which the bucket at place i is full, or sealed when there is none.
func (t *table[K]) full(i int) uint64 {
	if t.places[i].hash.Load() == 0 {
		return sealed
	}
	if a := t.account(i); a != nil {
		return a.full
	}
	return t.places[i].word.Load()
}

// set puts a bucket into place i, which is free or the key's own: a word, or an account.
func (t *table[K]) set(i int, hash uint64, key K, full uint64, a *account) {
	p := &t.places[i]
	if a != nil {
		t.open(i, a)
		full = sealed
	}
	p.word.Store(full)
	if p.hash.Load() == 0 {
		p.key = key
		p.hash.Store(hash)
		t.used++
	}
}

// open puts an account into place i. Its word must be sealed first.
func (t *table[K]) open(i int, a *account) {
	if t.accounts == nil {
		t.accounts = make([]*account, len(t.places))
	}
	t.accounts[i] = a
}

// forget takes the bucket out of place i unless it is full at another moment by now.
func (t *table[K]) forget(i int, full uint64) bool {
	if t.account(i) != nil {
		t.accounts[i] = nil
		return true
	}
	return t.places[i].word.CompareAndSwap(full, sealed)
}

// seal takes the bucket out of place i and returns it: when it is full, sealed if there is none, and the account, if it is
// one.
func (t *table[K]) seal(i int) (full uint64, a *account) {
	if a = t.account(i); a != nil {
		t.accounts[i] = nil
		return a.full, a
	}
	if t.places[i].hash.Load() == 0 {
		return sealed, nil
	}
	return t.places[i].word.Swap(sealed), nil
}
