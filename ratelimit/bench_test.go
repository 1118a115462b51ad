package ratelimit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/joist-go/joist/ratelimit"
)

func BenchmarkAllow(b *testing.B) {
	for name, limit := range map[string]ratelimit.Limit{
		"allowed":      ratelimit.PerSecond(1e9),
		"allowed, odd": ratelimit.PerSecond(999_999_937).WithBurst(1e9),
		"denied":       ratelimit.PerHour(1),
	} {
		l := newLimiter(b, limit)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.Allow()
			}
		})
		b.Run(name+", on all cores", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l.Allow()
				}
			})
		})
	}
}

func BenchmarkTake(b *testing.B) {
	l := newLimiter(b, ratelimit.PerSecond(1e9))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = l.Take(1)
	}
}

func BenchmarkDo(b *testing.B) {
	l := newLimiter(b, ratelimit.PerSecond(1e9))
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Do(ctx, func(context.Context) error { return nil })
	}
}

func BenchmarkKeyed(b *testing.B) {
	const keys = 100_000
	k := newKeyed(b, ratelimit.PerHour(1e9), 2*keys)
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("user:%d", i)
		k.AllowN(names[i], 1e6) // in debt for 3.6 ms
	}
	b.Run("100000 keys", func(b *testing.B) {
		random := rand.New(rand.NewPCG(1, 2))
		b.ReportAllocs()
		for b.Loop() {
			k.Allow(names[random.IntN(keys)])
		}
	})
	b.Run("100000 keys, on all cores", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			random := rand.New(rand.NewPCG(rand.Uint64(), 2))
			for pb.Next() {
				k.Allow(names[random.IntN(keys)])
			}
		})
	})
	b.Run("one key, on all cores", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				k.Allow("hot")
			}
		})
	})
}

func BenchmarkKeyedFlood(b *testing.B) {
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[int]{Limits: []ratelimit.Limit{ratelimit.PerHour(2)}})
	if err != nil {
		b.Fatal(err)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		k.Allow(i)
	}
}

func BenchmarkThreeLimits(b *testing.B) {
	l := newWaiting(b, ratelimit.Options{}, ratelimit.PerSecond(1e9), ratelimit.PerMinute(6e10).Named("b"), ratelimit.PerHour(36e11).Named("c"))
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Allow()
		}
	})
	b.Run("on all cores", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.Allow()
			}
		})
	})
}

func BenchmarkWait(b *testing.B) {
	l := newLimiter(b, ratelimit.PerSecond(1e9))
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Wait(ctx)
	}
}

func BenchmarkReserveAndCancel(b *testing.B) {
	l := newLimiter(b, ratelimit.PerSecond(1e9))
	b.ReportAllocs()
	for b.Loop() {
		if r, err := l.Reserve(1); err == nil {
			r.Cancel()
		}
	}
}

func BenchmarkTiers(b *testing.B) {
	k := newTiered(b, 0, func(string) {})
	b.ReportAllocs()
	for b.Loop() {
		k.Allow("gold")
	}
}
