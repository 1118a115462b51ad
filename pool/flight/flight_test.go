package flight_test

import (
	"context"
	"math"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/joist-go/joist/pool/flight"
)

func TestDoReturnsWhatTheLoadReturns(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
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
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		gate := make(chan struct{})
		leader := call(ctx, g, "k", after(gate, 7))
		var followers []*waiter
		for range 99 {
			followers = append(followers, call(ctx, g, "k", answers(8)))
		}
		if s := g.Stats(); s != (flight.Stats{Leaders: 1, Shared: 99, InFlight: 1}) {
			t.Errorf("while in flight: %+v", s)
		}
		close(gate)
		leader.want(t, 7, false, nil)
		for _, f := range followers {
			f.want(t, 7, true, nil)
		}
		if s := g.Stats(); s != (flight.Stats{Leaders: 1, Shared: 99}) {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

func TestAnErrorIsSharedLikeAValue(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		gate := make(chan struct{})
		leader := call(ctx, g, "k", func(context.Context) (int, error) { <-gate; return 3, errLoad })
		follower := call(ctx, g, "k", answers(8))
		close(gate)
		leader.want(t, 3, false, errLoad)
		follower.want(t, 3, true, errLoad)
	})
}

func TestKeysDoNotShareWithEachOther(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		gate := make(chan struct{})
		const keys = 2000 // more than shards and their first buckets
		var waiters []*waiter
		for i := range keys {
			w := &waiter{got: make(chan result, 1)}
			go func() {
				v, shared, err := g.DoShared(ctx, strconv.Itoa(i), after(gate, i))
				w.got <- result{v: v, shared: shared, err: err}
			}()
			waiters = append(waiters, w)
		}
		synctest.Wait()
		if s := g.Stats(); s.InFlight != keys {
			t.Fatalf("%d loads in flight, want %d", s.InFlight, keys)
		}
		joined := call(ctx, g, "1711", answers(-1))
		close(gate)
		for i, w := range waiters {
			w.want(t, i, false, nil)
		}
		joined.want(t, 1711, true, nil)
	})
}

func TestALoadMayUseTheGroupForAnotherKey(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		v, err := g.Do(ctx, "outer", func(ctx context.Context) (int, error) {
			v, err := g.Do(ctx, "inner", answers(20))
			return v + 1, err
		})
		if v != 21 || err != nil {
			t.Errorf("Do = %d, %v", v, err)
		}
	})
}

func TestAKeyThatDoesNotEqualItselfSharesNothingAndLeavesNothingBehind(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g, err := flight.New[float64, int](flight.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			if v, shared, err := g.DoShared(ctx, math.NaN(), answers(i)); v != i || shared || err != nil {
				t.Fatalf("DoShared = %d, %v, %v", v, shared, err)
			}
		}
		if s := g.Stats(); s.InFlight != 0 || s.Leaders != 100 {
			t.Errorf("%+v", s)
		}
	})
}

func TestForgetMakesTheNextCallBeginALoadWhileTheOldOneAnswersItsWaiters(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		g.Forget("k")
		gate, newGate := make(chan struct{}), make(chan struct{})
		old := call(ctx, g, "k", after(gate, 1))
		oldFollower := call(ctx, g, "k", answers(0))
		g.Forget("k")
		fresh := call(ctx, g, "k", after(newGate, 2))
		close(gate)
		old.want(t, 1, false, nil)
		oldFollower.want(t, 1, true, nil)
		freshFollower := call(ctx, g, "k", answers(0)) // the end of the old load has not taken the new one's key
		close(newGate)
		fresh.want(t, 2, false, nil)
		freshFollower.want(t, 2, true, nil)
	})
}

func TestGoBeginsALoadAndDoesNotWait(t *testing.T) {
	for _, detached := range []bool{true, false} {
		bubble(t, func(t *testing.T, ctx context.Context) {
			g := newGroup(t, flight.Options{Detached: detached})
			gate := make(chan struct{})
			ended, cancel := context.WithCancel(ctx)
			cancel()
			if !g.Go(ended, "k", after(gate, 1)) {
				t.Error("Go = false with nothing in flight, want true: only the values of its context count")
			}
			if g.Go(ctx, "k", answers(2)) {
				t.Error("Go = true with a load in flight")
			}
			first, second := call(ctx, g, "k", answers(3)), call(ctx, g, "k", answers(4))
			first.leave(nil)
			first.want(t, 0, true, context.Canceled)
			second.leave(nil)
			second.want(t, 0, true, context.Canceled)
			third := call(ctx, g, "k", answers(5))
			close(gate)
			third.want(t, 1, true, nil)
			if s := g.Stats(); s != (flight.Stats{Leaders: 1, Shared: 3}) {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestAGroupMayBeUsedInOneTestBubbleAfterTheOther(t *testing.T) {
	g := newGroup(t, flight.Options{})
	for range 3 {
		bubbles(t, func(t *testing.T, ctx context.Context) {
			gate := make(chan struct{})
			leader, follower := call(ctx, g, "k", after(gate, 1)), call(ctx, g, "k", answers(0))
			alone := call(ctx, g, "other", answers(2))
			close(gate)
			leader.want(t, 1, false, nil)
			follower.want(t, 1, true, nil)
			alone.want(t, 2, false, nil)
		})
	}
}
