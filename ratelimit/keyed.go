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
)

// DefaultMaxKeys is the MaxKeys of a [Keyed] that was given none.
const DefaultMaxKeys = 100_000

// KeyedOptions describes a [Keyed].
type KeyedOptions[K comparable] struct {
	// Name is the block's name in metrics, events and errors: at most 128 bytes without control characters. Default
	// "default".
	Name string

	// Limits holds the plain limits, which each key has: 1 to MaxLimits, with names that differ. All must allow a take, or
	// nothing is taken from any. Required.
	Limits []Limit

	// LimitsFor returns the limits of a key, such as those of its tier, and none for the plain ones. It is called when a
	// key comes that has no bucket, by the goroutine of the take, outside of every lock, and may call back; a key whose
	// bucket was full and was dropped is asked for again. It should be quick and answer the same slices. If the answer
	// is not valid, Take and Do return the error, and Allow is false. It is not called for a key for which there is no
	// place: the overflow bucket has the plain limits, so what must be refused in a flood, too, needs a check of its own.
	LimitsFor func(key K) []Limit

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
// A take of a key that has a bucket needs no lock and allocates nothing. A key without one takes the lock of a part of the
// keys for some 50 ns, and one in many of these makes the table of that part anew.
// It owns no goroutine and needs no closing. Keys are kept, never shown: they are in no metric, event or error.
//
// # Bounded
//
// The memory of a Keyed does not depend on how many keys there ever were. A bucket that has filled up holds nothing that
// a new one would not, so it is dropped at no loss when its place is needed. When MaxKeys keys have a bucket and a new
// one comes, it takes the place of a full bucket; a key looks at a bounded number of places for one, so it may miss the
// last few. When it finds none, it is judged by the overflow bucket, which has the plain Limits and which all such keys
// share, until there is a place. So a flood of invented keys gets, all together, what MaxKeys keys and one more may have;
// it does not free the keys that have a bucket from their debts, and does not grow the memory. Honest new keys share the
// overflow bucket with the flood meanwhile; a key that then finds a place begins with a full bucket of its own, and may
// so get up to twice what a key may have. Stats.Overflowed tells when that happens: MaxKeys should be well above the
// number of keys that are active within the time a bucket needs to fill. What all keys together may have is the limit
// of a [Limiter] beside it.
//
// A key that does not equal itself, a NaN, is a new one each time. One that cannot be compared, such as a slice in an
// interface, panics.
//
// A place takes 16 bytes and the size of K, and 1.3 to 3.2 places are kept per bucket: at most some 10 MB for 100 000
// string keys, and the strings, those of dropped keys until more new ones come. A key with several limits, or with limits
// of its own, takes some 100 bytes more.
type Keyed[K comparable] struct {
	bucket    bucket // the one plain limit; else only the unit of the moments in the shards, a nanosecond
	simple    bool   // there is one plain limit, and no LimitsFor
	plan      *plan  // of the plain limits
	limitsFor func(K) []Limit
	clock     clock.Clock
	cells     *cells
	name      string
	seed      maphash.Seed
	maxKeys   int64
	shards    []shard[K]  // a power of two of them
	overflow  *state      // of the plain limits
	tuned     atomic.Bool // a key has limits that were set
	plans     plans

	_    [cacheLine]byte
	keys atomic.Int64 // places taken in all shards, at most maxKeys
	_    [cacheLine - 8]byte
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
		simple:    len(o.Limits) == 1 && o.LimitsFor == nil,
		limitsFor: o.LimitsFor,
		clock:     clock.New(),
		name:      nameOr(o.Name),
		seed:      maphash.MakeSeed(),
		maxKeys:   int64(o.MaxKeys),
		shards:    make([]shard[K], shardsFor(o.MaxKeys)),
	}
	for i := range k.shards {
		k.shards[i].init()
	}
	k.cells = newCells(k, o.MeterProvider, k.name)
	k.plan = newPlan(o.Limits, k.cells)
	k.overflow = newState(k.plan, nil)
	k.bucket = newBucket(Unlimited())
	if k.simple {
		k.bucket = k.plan.buckets[0]
	}
	return k, nil
}

const (
	shardsPerProc = 16   // so that goroutines seldom meet in one
	maxShardKeys  = 4096 // so that making a table anew is short
	minShardKeys  = 512  // fewer keys are not worth another shard
	maxShards     = 4096 // a number of the highest bits of the hash, of which tables use the lowest
)

// shardsFor returns the number of shards for so many keys, a power of two.
func shardsFor(maxKeys int) int {
	n := max(shardsPerProc*runtime.GOMAXPROCS(0), maxKeys/maxShardKeys)
	n = max(1, min(n, maxKeys/minShardKeys, maxShards))
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
	_, now, ok, found := k.grab(key, n)
	if found {
		k.bucket.count(ok)
		return ok || k.bucket.limit.Shadow
	}
	r, err := k.beyond(key, now, n)
	return err == nil && r.Allowed
}

// Take takes n tokens of key, or none, and tells how its buckets stand, or the overflow bucket when there is no place for
// it. n = 0 takes nothing, is always allowed, and is neither counted nor makes a bucket. The error is [ErrNegative] when n
// is negative, or what is wrong with the answer of LimitsFor.
func (k *Keyed[K]) Take(key K, n int64) (Result, error) {
	switch {
	case n < 0:
		return Result{}, ErrNegative
	case n == 0:
		return k.act(key, k.clock.Now(), take, 0)
	}
	full, now, ok, found := k.grab(key, n)
	if found {
		k.bucket.count(ok)
		return k.bucket.answer(full, now, n, ok, !ok && k.bucket.limit.Shadow), nil
	}
	return k.beyond(key, now, n)
}

// grab takes n tokens of key, at least 1, if they fit. It returns the word of the bucket as it is then, or as it was when
// they did not fit, and the reading of the clock by which it was judged. It does not find the bucket when the key has none
// and there is no place for one, or when it has not just the one plain limit.
func (k *Keyed[K]) grab(key K, n int64) (full uint64, now int64, ok, found bool) {
	now = k.clock.Now()
	if !k.simple {
		return 0, now, false, false
	}
	if k.bucket.size == 0 {
		return 0, now, n <= k.bucket.burst, !k.tuned.Load()
	}
	s, hash := k.shardOf(key)
	full, ok, found = s.take(k, hash, key, k.bucket.instant(now), n)
	return full, now, ok, found
}

// beyond takes n tokens of key when grab did not find its bucket.
func (k *Keyed[K]) beyond(key K, now, n int64) (Result, error) {
	if k.simple && !k.tuned.Load() {
		return k.spill(now, take, n)
	}
	return k.act(key, now, take, n)
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
	full, now, ok, found := k.grab(key, 1)
	if !found {
		r, err := k.beyond(key, now, 1)
		if err == nil && !r.Allowed {
			err = refuse(ctx, k.name, r, nil)
		}
		return err
	}
	k.bucket.count(ok)
	if ok || k.bucket.limit.Shadow {
		return nil
	}
	return refuse(ctx, k.name, k.bucket.result(full, now, 1, false), nil)
}

// KeyedStats is what a [Keyed] has counted since it was made, and what it holds.
type KeyedStats struct {
	Allowed      int64 // takes that were allowed
	Denied       int64 // takes that were denied
	ShadowDenied int64 // takes that a shadow would have denied, allowed or not, for each such limit
	Overflowed   int64 // takes that the overflow bucket decided
	Keys         int   // keys that have a bucket, among them full ones that were not dropped yet
}

// Stats returns the counts so far. Takes that go on meanwhile may or may not be in them.
func (k *Keyed[K]) Stats() KeyedStats {
	return KeyedStats{
		Allowed:      k.cells.total(allowed),
		Denied:       k.cells.total(denied),
		ShadowDenied: k.cells.total(shadowDenied),
		Overflowed:   k.cells.total(overflowed),
		Keys:         int(k.keys.Load()),
	}
}
