package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const generationShards = 64

// generations tell whether a key was written while it was being loaded. A key has a generation only while loads of it
// run, so that the table is bounded by the loads in flight and no other key's write is ever mistaken for its own.
//
// Protocol. A load joins before it asks the source and leaves when it is over. Set and Delete advance the key's
// generation, and a load commits only if it is still the one it joined; each does so inside the engine's Compute for
// the key, under the lock of the key's bucket. So of a write and a commit one is whole before the other:
//
//	commit, then write: the write replaces or removes what the commit left.
//	write, then commit: the commit sees that the generation moved, and leaves nothing.
//
// A load that joins after the write asked the source after it, and may commit. The bucket's lock is taken before a
// shard's, and nothing is locked under a shard's.
type generations[K comparable, V any] struct {
	seed   maphash.Seed
	shards [generationShards]generationShard[K, V]
}

type generationShard[K comparable, V any] struct {
	mu   sync.Mutex
	live map[K]*generation[K, V]
	_    [48]byte // a cache line of its own
}

type generation[K comparable, V any] struct {
	number atomic.Uint64
	loads  int                           // guarded by the shard's mu
	newest atomic.Pointer[loading[K, V]] // the load that was begun last
}

// ticket is a load's proof of the generation that it joined.
type ticket[K comparable, V any] struct {
	generation *generation[K, V]
	number     uint64
}

func (g *generations[K, V]) init() { g.seed = maphash.MakeSeed() }

func (g *generations[K, V]) shard(key K) *generationShard[K, V] {
	return &g.shards[maphash.Comparable(g.seed, key)%generationShards]
}

// lasting tells whether what is kept under key can be found again, and so removed: a NaN does not equal itself.
func lasting[K comparable](key K) bool {
	return key == key //nolint:gocritic,staticcheck // that is the question
}

// join enters a load of key.
func (g *generations[K, V]) join(key K) ticket[K, V] {
	if !lasting(key) {
		return ticket[K, V]{generation: &generation[K, V]{loads: 1}}
	}
	s := g.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.live[key]
	if current == nil {
		if s.live == nil {
			s.live = make(map[K]*generation[K, V])
		}
		current = new(generation[K, V])
		s.live[key] = current
	}
	current.loads++
	return ticket[K, V]{current, current.number.Load()}
}

// leave ends the load that joined with t.
func (g *generations[K, V]) leave(key K, t ticket[K, V]) {
	s := g.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	t.generation.loads--
	if t.generation.loads == 0 {
		delete(s.live, key)
	}
}

// advance makes every ticket of key that was given out so far worthless.
func (g *generations[K, V]) advance(key K) {
	s := g.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if current := s.live[key]; current != nil {
		current.number.Add(1)
	}
}

// newest returns the load of key that was begun last, nil if none is known to run.
func (g *generations[K, V]) newest(key K) *loading[K, V] {
	s := g.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if current := s.live[key]; current != nil {
		return current.newest.Load()
	}
	return nil
}

// current tells whether no write came since the ticket was given out.
func (t ticket[K, V]) current() bool { return t.generation.number.Load() == t.number }
