//go:build !race

package flight_test

import (
	"context"
	"testing"

	"github.com/joist-go/joist/pool/flight"
)

func TestAllocations(t *testing.T) {
	cancellable, cancel := context.WithCancel(context.Background())
	defer cancel()
	tests := []struct {
		name    string
		ctx     context.Context
		options flight.Options
		want    float64
	}{
		{"a leader that runs its load: its context", context.Background(), flight.Options{}, 1},
		{"a leader that can leave: its context, a channel", cancellable, flight.Options{}, 2},
		{"with a Timeout: and a timer", cancellable, flight.Options{Detached: true}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, load := newGroup(t, tt.options), answers(1)
			if got := testing.AllocsPerRun(500, func() { g.Do(tt.ctx, "k", load) }); got > tt.want {
				t.Errorf("%v allocations, want at most %v", got, tt.want)
			}
		})
	}
}

func TestKeysOfAnyKindAllocateNothingOfTheirOwn(t *testing.T) {
	type compound struct {
		tenant string
		id     int64
		of     *int
	}
	t.Run("number", func(t *testing.T) { keyAllocatesNothing(t, int64(42)) })
	t.Run("array", func(t *testing.T) { keyAllocatesNothing(t, [16]byte{1}) })
	t.Run("struct", func(t *testing.T) { keyAllocatesNothing(t, compound{"a", 1, new(int)}) })
}

func keyAllocatesNothing[K comparable](t *testing.T, key K) {
	g, err := flight.New[K, int](flight.Options{})
	if err != nil {
		t.Fatal(err)
	}
	load := answers(1)
	if got := testing.AllocsPerRun(500, func() { g.Do(context.Background(), key, load) }); got > 1 {
		t.Errorf("%v allocations, want the context alone", got)
	}
}

// leaving ends between a call's first look at it and its wait, so that a call joins and leaves.
type leaving struct {
	context.Context
	done  chan struct{}
	asked bool
}

func (l *leaving) Done() <-chan struct{} { return l.done }

func (l *leaving) Err() error {
	if !l.asked {
		l.asked = true
		return nil
	}
	return context.Canceled
}

func TestJoiningAndLeavingAllocateNothing(t *testing.T) {
	g, load := newGroup(t, flight.Options{Detached: true}), answers(1)
	gate := make(chan struct{})
	g.Go(t.Context(), "k", after(gate, 1))
	ctx := &leaving{Context: context.Background(), done: make(chan struct{})}
	close(ctx.done)
	got := testing.AllocsPerRun(500, func() {
		ctx.asked = false
		if _, shared, err := g.DoShared(ctx, "k", load); !shared || err != context.Canceled {
			t.Fatalf("shared = %v, err = %v", shared, err)
		}
	})
	if got > 0 {
		t.Errorf("%v allocations", got)
	}
	close(gate)
	if err := g.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestStatsAllocateNothing(t *testing.T) {
	g := newGroup(t, flight.Options{})
	var s flight.Stats
	if got := testing.AllocsPerRun(100, func() { s = g.Stats() }); got > 0 || s.Leaders != 0 {
		t.Errorf("%v allocations", got)
	}
}
