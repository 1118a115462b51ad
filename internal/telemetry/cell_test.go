package telemetry_test

import (
	"sync"
	"testing"

	"github.com/joist-go/joist/internal/telemetry"
)

func TestACellCountsEveryAdditionOfEveryGoroutine(t *testing.T) {
	const goroutines, each, words = 32, 2000, 11
	c := telemetry.NewCell(words)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range each {
				c.Add(i%words, 2)
			}
		})
	}
	wg.Wait()
	var sum int64
	for w := range words {
		sum += c.Total(w)
	}
	if sum != 2*goroutines*each {
		t.Fatalf("the words add up to %d, want %d", sum, 2*goroutines*each)
	}
}

func TestIncCountsOnItsOwnStripe(t *testing.T) {
	c := telemetry.NewCell(1)
	for want := int64(1); want <= 3; want++ {
		if got := c.Inc(0); got != want {
			t.Fatalf("Inc = %d, want %d", got, want)
		}
	}
	if got := c.Total(0); got != 3 {
		t.Fatalf("Total = %d, want 3", got)
	}
}

func BenchmarkCellAdd(b *testing.B) {
	c := telemetry.NewCell(4)
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Add(1, 1)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c.Add(1, 1)
			}
		})
	})
}
