package flight_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/joist-go/joist/pool/flight"
)

// leaders are the contexts that decide where a leader's load runs.
func leaders(b *testing.B, bench func(b *testing.B, ctx context.Context)) {
	b.Run("leader=stays", func(b *testing.B) { bench(b, context.Background()) })
	b.Run("leader=leaves", func(b *testing.B) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		bench(b, ctx)
	})
}

func BenchmarkDo(b *testing.B) {
	leaders(b, func(b *testing.B, ctx context.Context) {
		g, load := newGroup(b, flight.Options{}), answers(1)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.Do(ctx, "user:1", load); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Each goroutine has keys of its own: what is measured is how much they disturb each other nevertheless.
func BenchmarkDoDistinctKeys(b *testing.B) {
	leaders(b, func(b *testing.B, ctx context.Context) {
		g, load := newGroup(b, flight.Options{}), answers(1)
		var goroutines atomic.Int64
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			var keys [64]string
			n := goroutines.Add(1)
			for i := range keys {
				keys[i] = "user:" + strconv.Itoa(int(n)*len(keys)+i)
			}
			for i := 0; pb.Next(); i++ {
				if _, err := g.Do(ctx, keys[i%len(keys)], load); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func BenchmarkDoSameKey(b *testing.B) {
	leaders(b, func(b *testing.B, ctx context.Context) {
		g, load := newGroup(b, flight.Options{}), answers(1)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := g.Do(ctx, "user:1", load); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func BenchmarkDoDetached(b *testing.B) {
	g, load := newGroup(b, flight.Options{Detached: true}), answers(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Do(b.Context(), "user:1", load); err != nil {
			b.Fatal(err)
		}
	}
}
