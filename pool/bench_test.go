package pool_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/joist-go/joist/pool"
)

// counted waits until n tasks have run. Tasks that count cost more than tasks that do nothing, but all that is given to
// the pool has to be done within the time measured.
func counted(n *atomic.Int64, want int64) {
	for n.Load() < want {
		runtime.Gosched()
	}
}

func BenchmarkGo(b *testing.B) {
	p := open(b, pool.Options{Workers: 16})
	ctx := context.Background()
	var ran atomic.Int64
	fn := func(context.Context) { ran.Add(1) }
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		_ = p.Go(ctx, fn)
		n++
	}
	counted(&ran, n)
}

func BenchmarkGoParallel(b *testing.B) {
	p := open(b, pool.Options{Workers: 16})
	ctx := context.Background()
	var ran atomic.Int64
	fn := func(context.Context) { ran.Add(1) }
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = p.Go(ctx, fn)
		}
	})
	counted(&ran, int64(b.N))
}

func BenchmarkGoWithAContextThatEnds(b *testing.B) {
	p := open(b, pool.Options{Workers: 16})
	ctx := b.Context()
	var ran atomic.Int64
	fn := func(context.Context) { ran.Add(1) }
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		_ = p.Go(ctx, fn)
		n++
	}
	counted(&ran, n)
}

func BenchmarkSubmit(b *testing.B) {
	p := open(b, pool.Options{Workers: 16})
	ctx := b.Context()
	var ran atomic.Int64
	fn := func(context.Context) (int, error) { ran.Add(1); return 1, nil }
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		_, _ = pool.Submit(ctx, p, fn)
		n++
	}
	counted(&ran, n)
}

func BenchmarkSubmitWait(b *testing.B) {
	p := open(b, pool.Options{Workers: 16})
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		f, err := pool.Submit(ctx, p, zero)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = f.Wait(ctx)
	}
}

func BenchmarkRejected(b *testing.B) {
	p := open(b, pool.Options{Workers: 1, Queue: pool.NoQueue, WhenFull: pool.Reject})
	release := occupy(b, p, 1)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_ = p.Go(ctx, nothing)
	}
	release()
}
