package flight

import (
	"hash/maphash"
	"math/bits"
	"runtime"
	"sync"
)

const (
	shardsPerProc = 8 // two cores seldom meet in a shard
	minShards     = 16
	maxShards     = 1024
)

// table holds the loads of a group by key, in shards with a lock each, so that distinct keys scale with the cores. It
// is what the telemetry counts from, and does not reach its group.
type table[K comparable, V any] struct {
	seed   maphash.Seed
	mask   uint64
	shards []shard[K, V]
}

// shard is one part of the keys. Its lock guards all of it and the fields of its calls that say so.
type shard[K comparable, V any] struct {
	mu      sync.Mutex
	closed  bool              // no load starts any more
	calls   map[K]*call[K, V] // the load that a key's next call may join: at most one
	strays  map[*call[K, V]]struct{}
	running int64 // loads that have not returned: in calls or in strays, or between the two and their end
	counts  [words]int64

	_ [48]byte // two cache lines in all: the hardware fetches lines in pairs
}

func newTable[K comparable, V any]() *table[K, V] {
	n := 1 << bits.Len(uint(shardsPerProc*runtime.GOMAXPROCS(0)-1)) // a power of two
	n = min(max(n, minShards), maxShards)
	t := &table[K, V]{seed: maphash.MakeSeed(), mask: uint64(n - 1), shards: make([]shard[K, V], n)}
	for i := range t.shards {
		t.shards[i].calls = make(map[K]*call[K, V])
	}
	return t
}

func (t *table[K, V]) shard(key K) *shard[K, V] {
	return &t.shards[maphash.Comparable(t.seed, key)&t.mask]
}

// Total implements telemetry.Source.
func (t *table[K, V]) Total(word int) int64 {
	var sum int64
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		sum += s.counts[word]
		s.mu.Unlock()
	}
	return sum
}

func (t *table[K, V]) running() int64 {
	var sum int64
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		sum += s.running
		s.mu.Unlock()
	}
	return sum
}

// add makes c the load of its key. The load that it displaces, if there is one, has no more calls to come.
func (s *shard[K, V]) add(c *call[K, V], displaced *call[K, V]) {
	if displaced != nil {
		s.stray(displaced)
	}
	s.calls[c.key] = c
	c.listed = true
	s.running++
	s.counts[wordLeaders]++
}

// remove takes c out of the table for good: it has returned.
func (s *shard[K, V]) remove(c *call[K, V]) {
	if c.listed {
		c.listed = false
		delete(s.calls, c.key)
	} else {
		delete(s.strays, c)
	}
}

// stray frees the key of a load that is still running. It stays within reach of Close.
func (s *shard[K, V]) stray(c *call[K, V]) {
	if !c.listed {
		return
	}
	c.listed = false
	delete(s.calls, c.key)
	if s.strays == nil {
		s.strays = make(map[*call[K, V]]struct{})
	}
	s.strays[c] = struct{}{}
}
