package retry_test

import (
	"context"
	"testing"
	"time"

	"github.com/joist-go/joist/retry"
)

func BenchmarkSuccess(b *testing.B) {
	succeeds := func(context.Context) error { return nil }
	for name, o := range map[string]retry.Options{"plain": {}, "AttemptTimeout": {AttemptTimeout: time.Second}} {
		p := newPolicy(b, o)
		b.Run(name+"/serial", func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for b.Loop() {
				_ = p.Do(ctx, succeeds)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = p.Do(ctx, succeeds)
				}
			})
		})
	}
}

func BenchmarkSuccessWithValue(b *testing.B) {
	p := newPolicy(b, retry.Options{})
	ctx := b.Context()
	one := func(context.Context) (int, error) { return 1, nil }
	b.ReportAllocs()
	for b.Loop() {
		_, _ = retry.DoValue(ctx, p, one)
	}
}

func BenchmarkFailureWithASpentBudget(b *testing.B) {
	p := newPolicy(b, retry.Options{Budget: newBudget(b, retry.BudgetOptions{Ratio: 0.0001, Burst: retry.NoBurst})})
	ctx := b.Context()
	fails := func(context.Context) error { return errDown }
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = p.Do(ctx, fails)
		}
	})
}

func BenchmarkBackoff(b *testing.B) {
	backoff := retry.Exponential(time.Millisecond, time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		_ = backoff.Delay(5, 0)
	}
}
