package balance_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/joist-go/joist/pool/balance"
)

func BenchmarkPick(b *testing.B) {
	bl := newBalancer(b, balance.Options[string]{Endpoints: names(10)})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		p, _ := bl.Pick(ctx)
		p.Done(nil)
	}
}

func BenchmarkPickParallel(b *testing.B) {
	bl := newBalancer(b, balance.Options[string]{Endpoints: names(10)})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx := context.Background()
		for pb.Next() {
			p, _ := bl.Pick(ctx)
			p.Done(nil)
		}
	})
}

func BenchmarkPickElsewhere(b *testing.B) {
	bl := newBalancer(b, balance.Options[string]{Endpoints: names(10)})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		p, _ := bl.Pick(ctx, "a")
		p.Done(nil)
	}
}

func BenchmarkDo(b *testing.B) {
	bl := newBalancer(b, balance.Options[string]{Endpoints: names(10)})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_ = bl.Do(ctx, work)
	}
}

func BenchmarkCall(b *testing.B) {
	bl := newBalancer(b, balance.Options[string]{Endpoints: names(10)})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		call := bl.Call()
		_ = call.Do(ctx, work)
	}
}

func BenchmarkRendezvous(b *testing.B) {
	for _, n := range []int{10, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			r := newRendezvous(b, balance.RendezvousOptions[string]{Endpoints: names(n)})
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				p, _ := r.Pick(ctx, "user/1234567")
				p.Done(nil)
			}
		})
	}
}
