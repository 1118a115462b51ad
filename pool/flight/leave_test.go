package flight_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/flight"
)

type keyOfValue struct{}

// observed is a load that shows its context and waits for its gate, whatever becomes of the context.
type observed struct {
	ctx  context.Context
	gate chan struct{}
}

func observe() *observed { return &observed{gate: make(chan struct{})} }

func (o *observed) load(v int) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		o.ctx = ctx
		<-o.gate
		return v, nil
	}
}

func TestALeaderLeavesWithItsOwnErrorAndTheLoadGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		o := observe()
		leader := call(ctx, g, "k", o.load(1))
		follower := call(ctx, g, "k", answers(0))
		leader.leave(nil)
		leader.want(t, 0, false, context.Canceled)
		if err := o.ctx.Err(); err != nil {
			t.Errorf("the context of a load with a waiter has ended: %v", err)
		}
		late := call(ctx, g, "k", answers(0))
		close(o.gate)
		follower.want(t, 1, true, nil)
		late.want(t, 1, true, nil)
	})
}

func TestAFollowerLeavesWithItsOwnErrorAndTheLoadGoesOn(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		o := observe()
		leader := call(ctx, g, "k", o.load(1))
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start := time.Now()
		_, shared, err := g.DoShared(short, "k", answers(0))
		if err != context.DeadlineExceeded || !shared || time.Since(start) != time.Second {
			t.Errorf("the follower left after %v with %v", time.Since(start), err)
		}
		if err := o.ctx.Err(); err != nil {
			t.Errorf("the context of a load with a waiter has ended: %v", err)
		}
		close(o.gate)
		leader.want(t, 1, false, nil)
	})
}

func TestACallWhoseContextHasEndedBeginsAndJoinsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if v, err := g.Do(ended, "k", answers(1)); v != 0 || err != context.Canceled {
			t.Errorf("Do = %d, %v", v, err)
		}
		if s := g.Stats(); s != (flight.Stats{}) {
			t.Errorf("%+v", s)
		}
	})
}

func TestTheLoadIsCancelledWhenTheLastWaiterLeavesWithItsErrorAsTheCause(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		o := observe()
		leader := call(ctx, g, "k", o.load(1))
		follower := call(ctx, g, "k", answers(0))
		leader.leave(errors.New("not the last"))
		leader.want(t, 0, false, context.Canceled)
		why := errors.New("why")
		follower.leave(why)
		follower.want(t, 0, true, context.Canceled)
		if err := o.ctx.Err(); err != context.Canceled {
			t.Errorf("Err = %v", err)
		}
		if cause := context.Cause(o.ctx); !errors.Is(cause, why) || !errors.Is(cause, context.Canceled) {
			t.Errorf("Cause = %v, want the last waiter's error and its cause", cause)
		}
		close(o.gate)
		synctest.Wait()
		if s := g.Stats(); s.InFlight != 0 || s.Unheard != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestADeadlineOfTheLastWaiterShowsInTheCause(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		o := observe()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := g.Do(short, "k", o.load(1)); err != context.DeadlineExceeded {
			t.Errorf("Do: %v", err)
		}
		synctest.Wait()
		if cause := context.Cause(o.ctx); cause != context.DeadlineExceeded {
			t.Errorf("Cause = %v", cause)
		}
		close(o.gate)
	})
}

// This one fails when a cancelled flight can be joined.
func TestANewcomerDoesNotInheritTheCancellationOfADyingLoad(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		dying, fresh := observe(), observe()
		first := call(ctx, g, "k", dying.load(1))
		first.leave(nil)
		first.want(t, 0, false, context.Canceled)
		second := call(ctx, g, "k", fresh.load(2))
		if s := g.Stats(); s.Leaders != 2 || s.InFlight != 2 {
			t.Fatalf("%+v, want a second load beside the dying one", s)
		}
		close(dying.gate) // its end leaves the new load's key alone
		third := call(ctx, g, "k", answers(0))
		if err := fresh.ctx.Err(); err != nil {
			t.Errorf("the new load's context: %v", err)
		}
		close(fresh.gate)
		second.want(t, 2, false, nil)
		third.want(t, 2, true, nil)
	})
}

func TestADetachedLoadOutlivesItsWaiters(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{Detached: true})
		o := observe()
		first := call(ctx, g, "k", o.load(1))
		first.leave(nil)
		first.want(t, 0, false, context.Canceled)
		if err := o.ctx.Err(); err != nil {
			t.Errorf("Err = %v", err)
		}
		second := call(ctx, g, "k", answers(0))
		close(o.gate)
		second.want(t, 1, true, nil)
	})
}

func TestTheLoadHasTheValuesOfItsLeader(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		ctx = context.WithValue(ctx, keyOfValue{}, 42)
		_, err := g.Do(ctx, "k", func(ctx context.Context) (int, error) {
			before := ctx.Value(keyOfValue{})
			if ctx.Done() == nil {
				t.Error("a load can be cancelled, so its context must say when")
			}
			if before != 42 || ctx.Value(keyOfValue{}) != 42 {
				t.Errorf("Value = %v, and %v after Done", before, ctx.Value(keyOfValue{}))
			}
			return 0, nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
