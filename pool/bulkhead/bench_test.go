package bulkhead_test

import (
	"context"
	"testing"

	"github.com/joist-go/joist/pool/bulkhead"
)

func BenchmarkDo(b *testing.B) {
	bh := fixed(b, 50)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_ = bh.Do(ctx, nothing)
	}
}

func BenchmarkDoParallel(b *testing.B) {
	bh := fixed(b, bulkhead.MaxLimit)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		for pb.Next() {
			_ = bh.Do(ctx, nothing)
		}
	})
}

func BenchmarkDoValue(b *testing.B) {
	bh := fixed(b, 50)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = bulkhead.DoValue(ctx, bh, func(context.Context) (int, error) { return 1, nil })
	}
}

func BenchmarkRefused(b *testing.B) {
	bh := fixed(b, 1)
	h := hold(bh)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_ = bh.Do(ctx, nothing)
	}
	_ = h.end()
}

func BenchmarkDoAdaptive(b *testing.B) {
	for name, limit := range map[string]bulkhead.Limit{"aimd": bulkhead.AIMD{}, "gradient": bulkhead.Gradient{}} {
		b.Run(name, func(b *testing.B) {
			bh := limited(b, limit)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				_ = bh.Do(ctx, nothing)
			}
		})
	}
}

// A slot that always goes to one who waits.
func BenchmarkDoQueued(b *testing.B) {
	bh := queueing(b, 1, bulkhead.Options{MaxQueue: 1000, MaxWait: bulkhead.Unlimited, CoDelInterval: bulkhead.NoCoDel})
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		for pb.Next() {
			_ = bh.Do(ctx, nothing)
		}
	})
}
