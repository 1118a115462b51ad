package throttle_test

import (
	"context"
	"testing"

	"github.com/joist-go/joist/breaker/throttle"
)

func benchmark(b *testing.B, call func()) {
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			call()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				call()
			}
		})
	})
}

func BenchmarkAcceptedDo(b *testing.B) {
	th, ctx := must(throttle.New(throttle.Options{})), context.Background()
	benchmark(b, func() { _ = th.Do(ctx, accept) })
}

func BenchmarkAcceptedDoValue(b *testing.B) {
	th, ctx := must(throttle.New(throttle.Options{})), context.Background()
	fn := func(context.Context) (int, error) { return 1, nil }
	benchmark(b, func() { _, _ = throttle.DoValue(ctx, th, fn) })
}

func BenchmarkAcceptedPermit(b *testing.B) {
	th, ctx := must(throttle.New(throttle.Options{})), context.Background()
	benchmark(b, func() {
		p, err := th.Allow(ctx)
		if err != nil {
			b.Error(err)
		}
		p.Done(nil)
	})
}

// Every call is refused: the price of a drawing, a count and a shared error.
func BenchmarkThrottled(b *testing.B) {
	th, ctx := after(throttle.Options{}, 0, 10_000), context.Background()
	throttle.Draw(th, refuseAll)
	benchmark(b, func() {
		if th.Do(ctx, accept) == nil {
			b.Error("not refused")
		}
	})
}
