package contract

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"weak"
)

// Watch returns what tells whether a block has been collected, for Guard.Gone.
func Watch[T any](block *T) func() bool {
	ref := weak.Make(block)
	return func() bool { return ref.Value() == nil }
}

// A block with a Close leaves no goroutine behind: the bubble could not end otherwise. Whether closed or without a
// Close, a block that was used is collected when nobody holds it any more, its telemetry included.
func (b Block) testLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := b.New(t)
		if err := g.Do(t.Context(), succeed); err != nil {
			t.Error(err)
		}
		if g.Close == nil {
			return
		}
		for range 2 { // Close is idempotent
			if err := g.Close(context.Background()); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
	gone := b.dropped(t)
	for range 1000 {
		runtime.GC()
		runtime.Gosched()
		if gone() {
			return
		}
	}
	t.Error("the block is never collected: something holds it")
}

// dropped uses a block and returns only what watches it.
func (b Block) dropped(t *testing.T) (gone func() bool) {
	t.Helper()
	g := b.New(t)
	if err := g.Do(t.Context(), succeed); err != nil {
		t.Error(err)
	}
	if g.Close != nil {
		if err := g.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	return g.Gone
}
