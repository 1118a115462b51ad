package ratelimit

import (
	"context"
	"hash/maphash"
	"math/bits"
	"runtime"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// DefaultMaxKeys is the MaxKeys of a [Keyed] that was given none.
const DefaultMaxKeys = 100_000

// KeyedOptions describes a [Keyed].
type KeyedOptions[K comparable] struct {
	// Name is the block's name in metrics, events and errors: at most 128 bytes without control characters. Default
	// "default".
	Name string

	// Limits holds the limit of each key. Exactly one is required.
	Limits []Limit

	// MaxKeys is how many keys have a bucket of their own at a time: 1 to 1e9. Default DefaultMaxKeys. A bucket that has
	// filled up counts only until its place is needed; see [Keyed].
	MaxKeys int

	// MeterProvider is where the counters are read. Default the global one.
	MeterProvider metric.MeterProvider

	// TracerProvider is where spans go. Default the global one. A Keyed opens no spans: what it has to tell are events
	// on the caller's.
	TracerProvider trace.TracerProvider
}

// Keyed is a token bucket for each key: users, clients, tenants. It is made with [NewKeyed] and safe for concurrent use.
// A take holds the lock of a part of the keys for some 50 ns, and allocates nothing unless the table of that part grows.
// It owns no goroutine and needs no closing. Keys are kept, never shown: they are in no metric, event or error.
//
// # Bounded
//
// The memory of a Keyed does not depend on how many keys there ever were. A bucket that has filled up holds nothing that
// a new one would not, so it is dropped at no loss when its place is needed. When MaxKeys keys have a bucket and a new
// one comes, it takes the place of a full bucket; a key looks at a bounded number of places for one, so it may miss the
// last few. When it finds none, it is judged by the overflow bucket, which has the same limit and which all such keys
// share, until there is a place. So a flood of invented keys gets, all together, what MaxKeys keys and one more may have;
// it does not free the keys that have a bucket from their debts, and does not grow the memory. Honest new keys share the
// overflow bucket with the flood meanwhile; a key that then finds a place begins with a full bucket of its own, and may
// so get up to twice what a key may have. Stats.Overflowed tells when that happens: MaxKeys should be well above the
// number of keys that are active within the time a bucket needs to fill. What all keys together may have is the limit
// of a [Limiter] beside it.
//
// A place takes 16 bytes and the size of K, and 1.3 to 3.2 places are kept per bucket: at most some 10 MB for 100 000
// string keys, and the strings.
type Keyed[K comparable] struct {
	bucket  bucket
	clock   clock.Clock
	cell    *telemetry.Cell
	name    string
	seed    maphash.Seed
	maxKeys int64
	shards  []shard[K] // a power of two of them

	_        [cacheLine]byte
	keys     atomic.Int64 // places taken in all shards, at most maxKeys
	overflow atomic.Uint64
	_        [cacheLine - 16]byte
}

// NewKeyed returns a Keyed without keys. The error lists everything that is wrong with o.
func NewKeyed[K comparable](o KeyedOptions[K]) (*Keyed[K], error) {
	f := options.Check("joist/ratelimit", "KeyedOptions")
	f.Name(o.Name)
	checkLimits(f, o.Limits)
	f.Require(o.MaxKeys >= 0 && int64(o.MaxKeys) <= 1e9, "MaxKeys", o.MaxKeys, "must be from 1 to 1e9, or 0 for the default")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if o.MaxKeys == 0 {
		o.MaxKeys = DefaultMaxKeys
	}
	k := &Keyed[K]{
		bucket:  newBucket(o.Limits[0]),
		clock:   clock.New(),
		cell:    telemetry.NewCell(words),
		name:    nameOr(o.Name),
		seed:    maphash.MakeSeed(),
		maxKeys: int64(o.MaxKeys),
		shards:  make([]shard[K], shardsFor(o.MaxKeys)),
	}
	observe(k, o.MeterProvider, k.name, k.cell, k.bucket.limit)
	return k, nil
}

const (
	shardsPerProc = 16  // so that goroutines seldom meet in one, and growing one is short
	maxShards     = 256 // selected by one byte of the hash
	shardKeys     = 512 // fewer keys are not worth another shard
)

// shardsFor returns the number of shards for so many keys, a power of two.
func shardsFor(maxKeys int) int {
	n := min(shardsPerProc*runtime.GOMAXPROCS(0), maxShards, max(1, maxKeys/shardKeys))
	return 1 << (bits.Len(uint(n)) - 1)
}

// Allow takes one token of key and tells whether there was one.
func (k *Keyed[K]) Allow(key K) bool { return k.AllowN(key, 1) }

// AllowN takes n tokens of key and tells whether there were so many; if not, it takes none. A negative n is never
// allowed, and n = 0 always. Neither is counted.
func (k *Keyed[K]) AllowN(key K, n int64) bool {
	if n <= 0 {
		return n == 0
	}
	_, _, ok := k.grab(key, n)
	count(k.cell, ok)
	return ok
}

// Take takes n tokens of key, or none, and tells how its bucket stands. n = 0 takes nothing, is always allowed, and is
// neither counted nor makes a bucket. The error is [ErrNegative] when n is negative.
func (k *Keyed[K]) Take(key K, n int64) (Result, error) {
	if n < 0 {
		return Result{}, ErrNegative
	}
	full, now, ok := k.grab(key, n)
	if n > 0 {
		count(k.cell, ok)
	}
	return k.bucket.result(full, now, n, ok), nil
}

// grab takes n tokens of key if they fit. It returns the word of the bucket as it is then, or as it was when they did
// not fit, and the reading of the clock by which it was judged.
func (k *Keyed[K]) grab(key K, n int64) (full uint64, now int64, ok bool) {
	now = k.clock.Now()
	if k.bucket.size == 0 {
		return 0, now, n <= k.bucket.burst
	}
	hash := maphash.Comparable(k.seed, key)
	s := &k.shards[hash>>56&uint64(len(k.shards)-1)]
	full, ok, found := s.take(k, hash|1, key, k.bucket.instant(now), n)
	if found {
		return full, now, ok
	}
	k.cell.Add(overflowed, 1)
	full, ok = k.bucket.grab(&k.overflow, now, n)
	return full, now, ok
}

// Subject is one key of a [Keyed], as a block of its own with the verb Do. It is made with [Keyed.For], a value of the
// size of K and a pointer, safe for concurrent use. It holds no bucket: each call looks the bucket of its key up.
type Subject[K comparable] struct {
	keyed *Keyed[K]
	key   K
}

// For returns the subject of key. It takes nothing, makes no bucket, and costs nothing.
func (k *Keyed[K]) For(key K) Subject[K] { return Subject[K]{k, key} }

// Do takes a token of the key and calls fn with ctx. It returns what fn returns; without a token it returns a
// [*LimitedError] at once, and when ctx has ended ctx.Err(), and does not call fn. Nothing is taken when ctx has ended. A
// token that was taken stays taken, whatever fn returns.
func (s Subject[K]) Do(ctx context.Context, fn func(context.Context) error) error {
	if err := s.keyed.admit(ctx, s.key); err != nil {
		return err
	}
	return fn(ctx)
}

// DoValueFor is [Subject.Do] of key for a call that returns a value. V is zero when fn was not called.
func DoValueFor[K comparable, V any](ctx context.Context, k *Keyed[K], key K, fn func(context.Context) (V, error)) (V, error) {
	if err := k.admit(ctx, key); err != nil {
		var zero V
		return zero, err
	}
	return fn(ctx)
}

func (k *Keyed[K]) admit(ctx context.Context, key K) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	full, now, ok := k.grab(key, 1)
	count(k.cell, ok)
	if ok {
		return nil
	}
	return refuse(ctx, k.name, k.bucket.result(full, now, 1, false))
}

// KeyedStats is what a [Keyed] has counted since it was made, and what it holds.
type KeyedStats struct {
	Allowed    int64 // takes that were allowed
	Denied     int64 // takes that were denied
	Overflowed int64 // of both, takes that the overflow bucket decided
	Keys       int   // keys that have a bucket, among them full ones that were not dropped yet
}

// Stats returns the counts so far. Takes that go on meanwhile may or may not be in them.
func (k *Keyed[K]) Stats() KeyedStats {
	return KeyedStats{
		Allowed:    k.cell.Total(allowed),
		Denied:     k.cell.Total(denied),
		Overflowed: k.cell.Total(overflowed),
		Keys:       int(min(k.keys.Load(), k.maxKeys)),
	}
}
