package pool

import (
	"context"
	"testing"
	"testing/synctest"
)

// A timer that runs on would keep the pool in memory for as long as workers may be idle.
func TestCloseStopsTheTimerThatEndsIdleWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Options{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Go(t.Context(), func(context.Context) {}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if p.shrinking == nil || !p.armed {
			t.Fatal("no timer runs for an idle worker")
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p.shrinking.Stop() {
			t.Error("the timer runs after Close")
		}
	})
}
