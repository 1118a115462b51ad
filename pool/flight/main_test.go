package flight_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

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

// after returns a load that answers v once gate is closed, or fails with the cause of its context when that ends.
func after(gate <-chan struct{}, v int) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		select {
		case <-gate:
			return v, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// bubble runs a test in a bubble of its own, with a context that can be cancelled.
func bubble(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, t.Context()) })
}

// bubbles runs a test for each of the two ways of a leader: it cannot leave and runs the load itself, or it can leave
// and does not.
func bubbles(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Run("leader cannot leave", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, context.Background()) })
	})
	t.Run("leader can leave", func(t *testing.T) { bubble(t, test) })
}

// result is what one call got.
type result struct {
	v      int
	shared bool
	err    error
	panic  any
}

// waiter is a call on a goroutine of its own.
type waiter struct {
	leave context.CancelCauseFunc
	got   chan result
}

// call makes a call on a goroutine of its own and returns when it waits, in a bubble.
func call(ctx context.Context, g *flight.Group[string, int], key string, fn func(context.Context) (int, error)) *waiter {
	w := &waiter{got: make(chan result, 1)}
	if ctx.Done() != nil {
		ctx, w.leave = context.WithCancelCause(ctx)
	}
	go func() {
		var r result
		r.err = flight.ErrGoexit // what stays when the load takes the goroutine with it
		defer func() {
			if r.panic = recover(); r.panic != nil {
				r.err = nil
			}
			w.got <- r
			if w.leave != nil {
				w.leave(nil)
			}
		}()
		r.v, r.shared, r.err = g.DoShared(ctx, key, fn)
	}()
	synctest.Wait()
	return w
}

// pending tells whether the call still waits.
func (w *waiter) pending() bool {
	synctest.Wait()
	return len(w.got) == 0
}

// want checks what the call has got by now.
func (w *waiter) want(t *testing.T, v int, shared bool, err error) {
	t.Helper()
	if w.pending() {
		t.Fatalf("the call still waits, want %d, %v", v, err)
	}
	r := <-w.got
	if r.v != v || r.shared != shared || !errors.Is(r.err, err) || r.panic != nil {
		t.Errorf("the call got %+v, want %d, %v, %v", r, v, shared, err)
	}
}
