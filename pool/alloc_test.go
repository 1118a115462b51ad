//go:build !race

package pool_test

import (
	"context"
	"testing"

	"github.com/joist-go/joist/pool"
)

// allocs counts the allocations of one task from its call to its end.
func allocs(ended <-chan struct{}, give func()) float64 {
	return testing.AllocsPerRun(2000, func() {
		give()
		<-ended
	})
}

func TestATaskOfGoAllocatesNothingOrItsContext(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	ended := make(chan struct{})
	fn := func(context.Context) { ended <- struct{}{} }
	if got := allocs(ended, func() { _ = p.Go(context.Background(), fn) }); got != 0 {
		t.Errorf("with the background: %v allocations", got)
	}
	if got := allocs(ended, func() { _ = p.Go(t.Context(), fn) }); got > 1 {
		t.Errorf("with a context that ends: %v allocations", got)
	}
}

func TestATaskOfSubmitAllocatesItsFutureAndAChannelToWaitOn(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	ended := make(chan struct{})
	fn := func(context.Context) (int, error) { ended <- struct{}{}; return 1, nil }
	for name, ctx := range map[string]context.Context{"the background": context.Background(), "a context that ends": t.Context()} {
		if got := allocs(ended, func() { _, _ = pool.Submit(ctx, p, fn) }); got > 1 {
			t.Errorf("with %s: %v allocations", name, got)
		}
		waited := func(context.Context) (int, error) { return 1, nil }
		if got := testing.AllocsPerRun(2000, func() {
			f, _ := pool.Submit(ctx, p, waited)
			_, _ = f.Wait(ctx)
		}); got > 2 {
			t.Errorf("with %s, waited for: %v allocations", name, got)
		}
	}
}

func TestARefusalAllocatesItsErrorAlone(t *testing.T) {
	p := open(t, pool.Options{Workers: 1, Queue: pool.NoQueue, WhenFull: pool.Reject})
	release := occupy(t, p, 1)
	defer release()
	if got := testing.AllocsPerRun(1000, func() { _ = p.Go(context.Background(), nothing) }); got > 1 {
		t.Errorf("%v allocations", got)
	}
}
