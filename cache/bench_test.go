package cache_test

import (
	"context"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"github.com/joist-go/joist/cache"
)

// benchKeys is how many keys the benchmarks read in turn. The caches hold up to benchEntries, so that the engine's
// eviction policy is at work.
const (
	benchKeys    = 1 << 10
	benchEntries = 1 << 11
)

func filled(tb testing.TB) *cache.Cache[int64, int64] {
	tb.Helper()
	c := newCache(tb, cache.Options[int64, int64]{
		Load:                 echo,
		TTL:                  time.Hour,
		StaleWhileRevalidate: time.Hour,
		StaleIfError:         time.Hour,
		MaxEntries:           benchEntries,
	})
	for key := range int64(benchEntries) {
		if err := c.Set(tb.Context(), key, key); err != nil {
			tb.Fatal(err)
		}
	}
	return c
}

func echo(_ context.Context, key int64) (int64, error) { return key, nil }

func BenchmarkGetHit(b *testing.B) {
	c := filled(b)
	ctx := b.Context()
	get := func(i int64) {
		if _, err := c.Get(ctx, i%benchKeys); err != nil {
			b.Error(err)
		}
	}
	both(b, get)
}

func BenchmarkGetEntryHit(b *testing.B) {
	c := filled(b)
	ctx := b.Context()
	both(b, func(i int64) {
		if _, err := c.GetEntry(ctx, i%benchKeys); err != nil {
			b.Error(err)
		}
	})
}

// BenchmarkOtterGetIfPresent is the engine alone, set as it serves best what a cache needs: expiry, counts of hits, and
// its coarse clock. A Get should cost no more.
func BenchmarkOtterGetIfPresent(b *testing.B) {
	clock := otter.NewCoarseClock(time.Millisecond)
	defer clock.Stop()
	c := otter.Must(&otter.Options[int64, int64]{
		MaximumSize:      benchEntries,
		ExpiryCalculator: otter.ExpiryWriting[int64, int64](time.Hour),
		StatsRecorder:    stats.NewCounter(),
		Clock:            clock,
	})
	defer c.StopAllGoroutines()
	for key := range int64(benchEntries) {
		c.Set(key, key)
	}
	both(b, func(i int64) {
		if _, ok := c.GetIfPresent(i % benchKeys); !ok {
			b.Error("not present")
		}
	})
}

func BenchmarkGetMiss(b *testing.B) {
	c := filled(b)
	ctx := b.Context()
	b.ReportAllocs()
	i := int64(benchEntries)
	for b.Loop() {
		if _, err := c.Get(ctx, i); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkSet(b *testing.B) {
	c := filled(b)
	ctx := b.Context()
	both(b, func(i int64) {
		if err := c.Set(ctx, i%benchKeys, i); err != nil {
			b.Error(err)
		}
	})
}

func both(b *testing.B, op func(i int64)) {
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		i := int64(0)
		for b.Loop() {
			op(i)
			i++
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := int64(0); pb.Next(); i++ {
				op(i)
			}
		})
	})
}
