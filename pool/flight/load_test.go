package flight_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/joist-go/joist/pool/flight"
)

// tally is what callers got, and what their loads did.
type tally struct {
	calls, answered, left, closed, panicked, exited atomic.Int64
	began, returned, shared                         atomic.Int64
}

// hadAll tells whether calls have ended in each way that there is.
func (c *tally) hadAll(s flight.Stats) bool {
	return c.answered.Load() > 0 && c.left.Load() > 0 && c.panicked.Load() > 0 && c.exited.Load() > 0 && s.Shared > 0
}

// storm calls a few keys of g without a pause until the group is closed, with calls that leave early and loads that
// fail in every way.
func storm(t *testing.T, g *flight.Group[string, int], c *tally) {
	for i := 0; ; i++ {
		ctx, cancel := context.WithCancel(t.Context())
		switch i % 4 {
		case 0:
			ctx = context.Background() // a leader that cannot leave
		case 1:
			go cancel() // one that leaves at any moment
		}
		refused := once(ctx, g, strconv.Itoa(i%3), i, c)
		cancel()
		if refused {
			return
		}
	}
}

// once makes one call and counts what came of it. It tells whether the group is closed.
func once(ctx context.Context, g *flight.Group[string, int], key string, i int, c *tally) (refused bool) {
	done := make(chan struct{})
	go func() { // a Goexit takes it along
		shared, err := false, flight.ErrGoexit
		defer func() {
			value := recover()
			c.calls.Add(1)
			_, panics := errors.AsType[*flight.PanicError](err)
			switch {
			case value != nil || panics:
				c.panicked.Add(1)
			case err == nil:
				c.answered.Add(1)
			case errors.Is(err, flight.ErrGoexit):
				c.exited.Add(1)
			case errors.Is(err, flight.ErrClosed):
				c.closed.Add(1)
				refused = true
			case errors.Is(err, context.Canceled):
				c.left.Add(1)
			default:
				panic(err)
			}
			if shared {
				c.shared.Add(1)
			}
			close(done)
		}()
		_, shared, err = g.DoShared(ctx, key, func(context.Context) (int, error) {
			c.began.Add(1)
			defer c.returned.Add(1)
			runtime.Gosched()
			switch i % 7 {
			case 3:
				panic(errLoad)
			case 5:
				runtime.Goexit()
			}
			return i, nil
		})
	}()
	<-done
	return refused
}

// Each call ends with exactly one outcome, whatever else goes on, and what Stats tells is what happened.
func TestCloseUnderLoadLosesNothingAndCountsEverything(t *testing.T) {
	for name, o := range map[string]flight.Options{"by default": {}, "detached": {Detached: true}} {
		t.Run(name, func(t *testing.T) {
			o.Logger = slog.New(slog.DiscardHandler)
			g := newGroup(t, o)
			var c tally
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() { storm(t, g, &c) })
			}
			for c.calls.Load() < 2000 || !c.hadAll(g.Stats()) { // who comes when is the scheduler's
				runtime.Gosched()
			}
			if err := g.Close(t.Context()); err != nil {
				t.Errorf("Close: %v", err)
			}
			if began, returned := c.began.Load(), c.returned.Load(); began != returned {
				t.Errorf("Close returned with %d loads of %d running", began-returned, began)
			}
			wg.Wait()
			s := g.Stats()
			if s.InFlight != 0 || s.Leaders != c.began.Load() {
				t.Errorf("%+v, %d loads began", s, c.began.Load())
			}
			ended := c.answered.Load() + c.left.Load() + c.closed.Load() + c.panicked.Load() + c.exited.Load()
			if calls := c.calls.Load(); ended != calls || c.closed.Load() != 16 {
				t.Errorf("%d of %d calls ended, %d were refused", ended, calls, c.closed.Load())
			}
			if got := c.shared.Load(); got > s.Shared || s.Leaders+s.Shared > c.calls.Load() {
				t.Errorf("%+v: %d callers know that they shared, %d calls", s, got, c.calls.Load())
			}
		})
	}
}
