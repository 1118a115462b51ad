package flight_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist/pool/flight"
)

const (
	staleCallers = 64
	staleFor     = 500 * time.Millisecond
	loadTakes    = 100 * time.Microsecond
)

// busy is a load's work: it holds its core now and then and leaves it in between, as real loads do.
func busy(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
		runtime.Gosched()
	}
}

// raise lifts a to v if it is lower.
func raise(a *atomic.Int64, v int64) {
	for old := a.Load(); old < v; old = a.Load() {
		if a.CompareAndSwap(old, v) {
			return
		}
	}
}

// hammer calls one key of g without a pause from many goroutines. Each load answers its number.
func hammer(t *testing.T, ctx context.Context, g *flight.Group[string, int], before func() int64, check func(seen int64, load int)) {
	t.Helper()
	var loads atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(staleFor)
	enough := func() bool { s := g.Stats(); return s.Leaders >= 10 && s.Shared >= s.Leaders }
	for range staleCallers {
		wg.Go(func() {
			for time.Now().Before(end) || !enough() { // on a busy machine it may take longer
				seen := before()
				n, err := g.Do(ctx, "k", func(context.Context) (int, error) {
					n := loads.Add(1)
					busy(loadTakes)
					return int(n), nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				check(seen, n)
			}
		})
	}
	wg.Wait()
}

// This one fails when the key is removed late: once anybody has the answer of a load, a call that begins after that is
// served by a later one. Calls meet without a pause, so that a load which waits for the lock to remove its key has many
// newcomers before it.
func TestNoCallIsServedALoadThatEndedBeforeTheCallBegan(t *testing.T) {
	for _, tt := range []struct {
		name    string
		ctx     func(context.Context) context.Context
		options flight.Options
	}{
		{"leader cannot leave", context.WithoutCancel, flight.Options{}},
		{"leader can leave", func(ctx context.Context) context.Context { return ctx }, flight.Options{}},
		{"detached", func(ctx context.Context) context.Context { return ctx }, flight.Options{Detached: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, tt.options)
			var answered, stale atomic.Int64 // the latest load that anybody has the answer of
			hammer(t, tt.ctx(t.Context()), g, answered.Load, func(seen int64, load int) {
				if int64(load) <= seen {
					stale.Add(1)
				}
				raise(&answered, int64(load))
			})
			if n := stale.Load(); n > 0 {
				t.Errorf("%d calls were served a load whose answer was out before they began", n)
			}
		})
	}
}
