package flight

import (
	"hash/maphash"
	"math/bits"
	"runtime"
	"sync"
)

const (
	shardsPerProc = 64 // two cores seldom meet in a shard, nor find it in the other's cache
	minShards     = 64
	maxShards     = 1024
	firstBuckets  = 2 // of a shard, within it
	maxChain      = 2 // loads per bucket, on average, above which a shard doubles its buckets
)

// table holds the loads of a group by key, in shards with a lock each, so that distinct keys scale with the cores. It
// is what the telemetry counts from, and does not reach its group.
type table[K comparable, V any] struct {
	seed   maphash.Seed
	mask   uint64
	shards []shard[K, V]
}

// shard is one part of the keys. Its lock guards all of it and the fields of its calls that say so.
//
// The loads of a shard are in a hash table of chains that run through the calls themselves. There are as many of them
// as loads run at once, mostly none or one, so that finding, adding and removing one touches the shard and the call and
// nothing else. The table grows with the most loads that ever ran at once, by 8 bytes for each, and does not shrink.
//
// A shard takes 128 bytes, two cache lines: the hardware fetches lines in pairs.
type shard[K comparable, V any] struct {
	mu      sync.Mutex
	closed  bool          // no load starts any more
	buckets []*call[K, V] // the load that a key's next call may join: at most one per key
	listed  int           // loads in buckets
	strays  *call[K, V]   // loads that run on without their key
	running int64         // loads that have not returned, wherever they are
	first   [firstBuckets]*call[K, V]
	spare   *call[K, V] // for the next load
	counts  [words]int64
}

func newTable[K comparable, V any]() *table[K, V] {
	n := 1 << bits.Len(uint(shardsPerProc*runtime.GOMAXPROCS(0)-1)) // a power of two
	n = min(max(n, minShards), maxShards)
	t := &table[K, V]{seed: maphash.MakeSeed(), mask: uint64(n - 1), shards: make([]shard[K, V], n)}
	for i := range t.shards {
		s := &t.shards[i]
		s.buckets = s.first[:]
	}
	return t
}

func (t *table[K, V]) hash(key K) uint64 { return maphash.Comparable(t.seed, key) }

// at returns the shard of a hash.
func (t *table[K, V]) at(hash uint64) *shard[K, V] { return &t.shards[hash&t.mask] }

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

// bucket returns the head of a hash's chain. The low half of a hash has chosen the shard.
func (s *shard[K, V]) bucket(hash uint64) **call[K, V] {
	return &s.buckets[int(hash>>32)&(len(s.buckets)-1)]
}

// find returns the load that is listed under key, or nil.
func (s *shard[K, V]) find(hash uint64, key K) *call[K, V] {
	for c := *s.bucket(hash); c != nil; c = c.next {
		if c.hash == hash && c.key == key {
			return c
		}
	}
	return nil
}

// add lists a new load under its key. The load that it displaces, if there is one, has no more calls to come.
func (s *shard[K, V]) add(c, displaced *call[K, V]) {
	if displaced != nil {
		s.stray(displaced)
	}
	if s.listed >= maxChain*len(s.buckets) {
		s.grow()
	}
	head := s.bucket(c.hash)
	c.next, *head = *head, c
	c.listed = true
	s.listed++
	s.running++
	s.counts[wordLeaders]++
}

// recycled returns a call without any past.
func (s *shard[K, V]) recycled() *call[K, V] {
	c := s.spare
	if c == nil {
		return new(call[K, V])
	}
	s.spare = nil
	return c
}

// recycle keeps a call that nobody else knows.
func (s *shard[K, V]) recycle(c *call[K, V]) {
	*c = call[K, V]{start: c.start, late: c.late}
	s.spare = c
}

func (s *shard[K, V]) grow() {
	old := s.buckets
	s.buckets = make([]*call[K, V], 2*len(old))
	for _, c := range old {
		for c != nil {
			next := c.next
			head := s.bucket(c.hash)
			c.next, *head = *head, c
			c = next
		}
	}
	clear(s.first[:])
}

// remove takes a load that has returned out of the shard.
func (s *shard[K, V]) remove(c *call[K, V]) {
	if c.listed {
		s.unlist(c)
	} else {
		unlink(&s.strays, c)
	}
}

// done counts a running load off and tells whether the shard is drained: closed, and this was the last.
func (s *shard[K, V]) done() bool {
	s.running--
	return s.closed && s.running == 0
}

// stray frees the key of a load that is still running. It stays within reach of Close.
func (s *shard[K, V]) stray(c *call[K, V]) {
	if c.listed {
		s.unlist(c)
		c.next, s.strays = s.strays, c
	}
}

func (s *shard[K, V]) unlist(c *call[K, V]) {
	unlink(s.bucket(c.hash), c)
	c.listed = false
	s.listed--
}

// unlink takes c, which is there, out of a chain: it is found by its address, so that a key which does not equal itself
// is removed like any other.
func unlink[K comparable, V any](at **call[K, V], c *call[K, V]) {
	for *at != c {
		at = &(*at).next
	}
	*at, c.next = c.next, nil
}
