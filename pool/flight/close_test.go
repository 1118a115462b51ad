package flight_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/pool/flight"
)

func TestCloseWaitsForLoadsAndRefusesNewOnes(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{Name: "users"})
		o := observe()
		leader := call(ctx, g, "k", o.load(1))
		closed := make(chan error, 1)
		go func() { closed <- g.Close(context.Background()) }()
		synctest.Wait()
		if len(closed) > 0 {
			t.Fatal("Close has not waited for the load")
		}
		follower := call(ctx, g, "k", answers(0))
		_, err := g.Do(ctx, "other", answers(2))
		if c, ok := errors.AsType[*flight.ClosedError](err); !ok || c.Name != "users" || !errors.Is(err, flight.ErrClosed) {
			t.Errorf("a new load: %v", err)
		}
		if !refusal.Refused(err) {
			t.Errorf("%v is no refusal", err)
		}
		if d, ok := refusal.RetryAfter(err); ok {
			t.Errorf("RetryAfter = %v, a closed group does not open again", d)
		}
		if g.Go(ctx, "other", answers(2)) {
			t.Error("Go = true after Close")
		}
		close(o.gate)
		leader.want(t, 1, false, nil)
		follower.want(t, 1, true, nil)
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := g.Close(context.Background()); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

func TestCloseOfAnIdleGroupReturnsAtOnceWhateverItsContext(t *testing.T) {
	g := newGroup(t, flight.Options{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Close(ended); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestCloseCancelsAtTheEndOfItsContextAndWaitsNoLonger(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{Name: "users"})
		obeying, ignoring, forgotten := call(ctx, g, "a", after(nil, 1)), observe(), observe()
		hung := call(ctx, g, "b", ignoring.load(2))
		stray := call(ctx, g, "c", forgotten.load(3))
		g.Forget("c")
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		err := g.Close(short)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Close: %v after %v", err, time.Since(start))
		}
		if want := `joist/flight: close of "users": 3 loads cancelled and still running: context deadline exceeded`; err == nil || err.Error() != want {
			t.Errorf("Close: %v, want %s", err, want)
		}
		obeying.want(t, 0, false, flight.ErrClosed) // what its load made of the cause
		for _, o := range []*observed{ignoring, forgotten} {
			if err := context.Cause(o.ctx); err != flight.ErrClosed {
				t.Errorf("Cause = %v", err)
			}
		}
		if refusal.Refused(context.Cause(ignoring.ctx)) {
			t.Error("a load that was made counts as refused")
		}
		if _, err := g.Do(ctx, "b", answers(0)); !errors.Is(err, flight.ErrClosed) {
			t.Errorf("joining a cancelled load: %v", err)
		}
		if !hung.pending() {
			t.Error("the waiter of a load that ignores its cancellation has an answer")
		}
		if s := g.Stats(); s.InFlight != 2 {
			t.Errorf("%+v", s)
		}
		close(ignoring.gate)
		close(forgotten.gate)
		hung.want(t, 2, false, nil)
		stray.want(t, 3, false, nil)
		if err := g.Close(context.Background()); err != nil {
			t.Errorf("Close, all loads having returned: %v", err)
		}
	})
}

// Loads without a place in the table are waited for too.
func TestCloseWaitsForLoadsThatNobodyWaitsFor(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{Timeout: time.Second})
		dying, late, background := observe(), observe(), observe()
		left := call(ctx, g, "dying", dying.load(1))
		left.leave(nil)
		left.want(t, 0, false, context.Canceled)
		if _, err := g.Do(ctx, "late", late.load(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Do: %v", err)
		}
		g.Go(ctx, "background", background.load(1))
		closed := make(chan error, 1)
		go func() { closed <- g.Close(ctx) }()
		for _, o := range []*observed{dying, late, background} {
			synctest.Wait()
			if len(closed) > 0 {
				t.Fatal("Close returned while a load was running")
			}
			close(o.gate)
		}
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestSeveralMayCloseEachAsItsContextAllows(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{Detached: true})
		o := observe()
		g.Go(ctx, "k", o.load(1))
		patient := make(chan error, 1)
		go func() { patient <- g.Close(ctx) }()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := g.Close(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient: %v", err)
		}
		if len(patient) > 0 {
			t.Error("the patient has not waited")
		}
		close(o.gate)
		if err := <-patient; err != nil {
			t.Errorf("the patient: %v", err)
		}
	})
}
