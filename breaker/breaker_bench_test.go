package breaker_test

import (
	"context"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker"
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

func BenchmarkClosedPermit(b *testing.B) {
	br, ctx := must(breaker.New(breaker.Options{})), context.Background()
	benchmark(b, func() {
		p, err := br.Allow(ctx)
		if err != nil {
			b.Error(err)
		}
		p.Done(nil)
	})
}

func BenchmarkClosedDo(b *testing.B) {
	br, ctx := must(breaker.New(breaker.Options{})), context.Background()
	fn := func(context.Context) error { return nil }
	benchmark(b, func() { _ = br.Do(ctx, fn) })
}

func BenchmarkClosedDoValue(b *testing.B) {
	br, ctx := must(breaker.New(breaker.Options{})), context.Background()
	fn := func(context.Context) (int, error) { return 1, nil }
	benchmark(b, func() { _, _ = breaker.DoValue(ctx, br, fn) })
}

func BenchmarkClosedDoWithFailuresInTheWindow(b *testing.B) {
	br, ctx := must(breaker.New(breaker.Options{FailureRatio: 1, Window: breaker.Last(time.Hour)})), context.Background()
	_ = br.Do(ctx, func(context.Context) error { return errDown })
	fn := func(context.Context) error { return nil }
	benchmark(b, func() { _ = br.Do(ctx, fn) })
}

// A failure in every eighth call, each of which sums the window.
func BenchmarkClosedDoSomeFail(b *testing.B) {
	br, ctx := must(breaker.New(breaker.Options{FailureRatio: 1})), context.Background()
	n := 0
	fn := func(context.Context) error {
		if n++; n%8 == 0 {
			return errDown
		}
		return nil
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = br.Do(ctx, fn)
	}
}

func BenchmarkTimedDo(b *testing.B) {
	br, ctx := must(breaker.New(breaker.Options{SlowCall: time.Second})), context.Background()
	fn := func(context.Context) error { return nil }
	benchmark(b, func() { _ = br.Do(ctx, fn) })
}

func BenchmarkRefused(b *testing.B) {
	br, ctx := must(breaker.New(breaker.Options{MinCalls: 1, OpenFor: 1 << 50})), context.Background()
	fn := func(context.Context) error { return errDown }
	_ = br.Do(ctx, fn)
	benchmark(b, func() {
		if br.Do(ctx, fn) == nil {
			b.Error("not refused")
		}
	})
}

func BenchmarkKeyedDo(b *testing.B) {
	k, ctx := must(breaker.NewKeyed(breaker.KeyedOptions[string]{})), context.Background()
	fn := func(context.Context) error { return nil }
	benchmark(b, func() { _ = k.For("users.example.org").Do(ctx, fn) })
}
