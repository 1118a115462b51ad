package flight_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/joist-go/joist/pool/flight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errLoad = errors.New("load failed")

func newGroup(t testing.TB, o flight.Options) *flight.Group[string, int] {
	t.Helper()
	g, err := flight.New[string, int](o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// answers returns a load that answers v.
func answers(v int) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { return v, nil }
}

// until returns a load that answers v once gate is closed, or fails with the cause of its context.
func until(gate <-chan struct{}, v int) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		select {
		case <-gate:
			return v, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// contexts runs a test in a bubble for each of the two ways of a leader: it cannot leave and runs the load itself, or
// it can and does not.
func contexts(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Run("leader cannot leave", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, context.Background()) })
	})
	t.Run("leader can leave", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, t.Context()) })
	})
}

func TestDoReturnsWhatTheLoadReturns(t *testing.T) {
	contexts(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		if v, err := g.Do(ctx, "k", answers(7)); v != 7 || err != nil {
			t.Errorf("Do = %d, %v", v, err)
		}
		v, err := g.Do(ctx, "k", func(context.Context) (int, error) { return 3, errLoad })
		if v != 3 || err != errLoad {
			t.Errorf("Do = %d, %v; want the value and the error of the load as they are", v, err)
		}
	})
}

func TestCallsThatOverlapShareOneLoad(t *testing.T) {
	contexts(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		gate := make(chan struct{})
		var loads, leaders, followers atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				v, shared, err := g.DoShared(ctx, "k", func(context.Context) (int, error) {
					loads.Add(1)
					<-gate
					return 7, nil
				})
				if v != 7 || err != nil {
					t.Errorf("DoShared = %d, %v", v, err)
				}
				if shared {
					followers.Add(1)
				} else {
					leaders.Add(1)
				}
			})
		}
		synctest.Wait()
		if s := g.Stats(); s.Leaders != 1 || s.Shared != 99 || s.InFlight != 1 {
			t.Errorf("while in flight: %+v", s)
		}
		close(gate)
		wg.Wait()
		if loads.Load() != 1 || leaders.Load() != 1 || followers.Load() != 99 {
			t.Errorf("%d loads, %d leaders, %d followers; want 1, 1, 99", loads.Load(), leaders.Load(), followers.Load())
		}
		if s := g.Stats(); s.InFlight != 0 {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

func TestALoadHasAHardDeadlineAndItsKeyIsFreeAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, flight.Options{Name: "n", Detached: true, Timeout: time.Second})
		hang := make(chan struct{})
		var cause error
		start := time.Now()
		_, err := g.Do(context.Background(), "k", func(ctx context.Context) (int, error) {
			<-hang
			cause = context.Cause(ctx)
			return 1, nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("answered after %v", d)
		}
		if v, err := g.Do(context.Background(), "k", answers(2)); v != 2 || err != nil {
			t.Errorf("the next call: %d, %v", v, err)
		}
		close(hang)
		if err := g.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if !errors.Is(cause, context.DeadlineExceeded) {
			t.Errorf("cause %v", cause)
		}
	})
}
