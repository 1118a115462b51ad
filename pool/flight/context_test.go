package flight_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/flight"
)

// The context of a load is made in part when it is asked for. These tests hold it against what package context says a
// context does, asked first in every possible way.

func TestTheContextOfALoadIsCancelledHoweverItIsWatched(t *testing.T) {
	type watch func(ctx context.Context) (done <-chan struct{}, ended func() error)
	tests := map[string]watch{
		"by Done": func(ctx context.Context) (<-chan struct{}, func() error) { return ctx.Done(), ctx.Err },
		"by a child": func(ctx context.Context) (<-chan struct{}, func() error) {
			child, cancel := context.WithCancel(ctx)
			context.AfterFunc(child, cancel)
			return child.Done(), child.Err
		},
		"by a child of a value": func(ctx context.Context) (<-chan struct{}, func() error) {
			child, cancel := context.WithTimeout(context.WithValue(ctx, keyOfValue{}, 1), time.Hour)
			context.AfterFunc(child, cancel)
			return child.Done(), child.Err
		},
		"by AfterFunc": func(ctx context.Context) (<-chan struct{}, func() error) {
			done := make(chan struct{})
			context.AfterFunc(ctx, func() { close(done) })
			return done, ctx.Err
		},
		"not at all": func(ctx context.Context) (<-chan struct{}, func() error) {
			return nil, ctx.Err
		},
	}
	for name, watch := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				g := newGroup(t, flight.Options{})
				gate, why := make(chan struct{}), errors.New("why")
				var loads context.Context
				var done <-chan struct{}
				var ended func() error
				w := call(ctx, g, "k", func(ctx context.Context) (int, error) {
					loads = ctx
					done, ended = watch(ctx)
					<-gate
					return 0, nil
				})
				if err := ended(); err != nil || context.Cause(loads) != nil {
					t.Errorf("before: %v, %v", err, context.Cause(loads))
				}
				w.leave(why)
				synctest.Wait()
				if done != nil {
					<-done
				}
				if err := ended(); err != context.Canceled {
					t.Errorf("after: %v", err)
				}
				if cause := context.Cause(loads); !errors.Is(cause, why) {
					t.Errorf("Cause = %v", cause)
				}
				close(gate)
			})
		})
	}
}

// The leader's own cancellation lies in the values of its context: package context looks for it there.
func TestTheContextOfALoadDoesNotTakeTheLeadersCancellationForItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{Detached: true})
		o := observe()
		w := call(ctx, g, "k", o.load(1))
		w.leave(errors.New("the leader's"))
		w.want(t, 0, false, context.Canceled)
		if err, cause := o.ctx.Err(), context.Cause(o.ctx); err != nil || cause != nil {
			t.Errorf("Err = %v, Cause = %v", err, cause)
		}
		child, cancel := context.WithCancel(o.ctx)
		defer cancel()
		if err, cause := child.Err(), context.Cause(child); err != nil || cause != nil {
			t.Errorf("a child: Err = %v, Cause = %v", err, cause)
		}
		close(o.gate)
	})
}

func TestTheContextOfALoadEndsWhenTheLoadHasReturnedWheneverItIsAskedFor(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		for _, early := range []bool{true, false} {
			var kept context.Context
			var done <-chan struct{}
			leader, end := ctx, context.CancelCauseFunc(func(error) {})
			if ctx.Done() != nil {
				leader, end = context.WithCancelCause(ctx)
			}
			if _, err := g.Do(context.WithValue(leader, keyOfValue{}, 42), "k", func(ctx context.Context) (int, error) {
				kept = ctx
				if early {
					done = ctx.Done()
				}
				return 0, ctx.Err()
			}); err != nil {
				t.Fatal(err)
			}
			end(errLoad) // the leader's, not the load's
			if kept.Err() != context.Canceled || context.Cause(kept) != context.Canceled {
				t.Errorf("early %v: Err = %v, Cause = %v", early, kept.Err(), context.Cause(kept))
			}
			if early {
				<-done
			}
			<-kept.Done()
			if kept.Value(keyOfValue{}) != 42 {
				t.Errorf("early %v: the values are gone", early)
			}
		}
	})
}

func TestTheContextOfALoadCanBePrintedWhileTheLoadRuns(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		if _, err := g.Do(ctx, "k", func(ctx context.Context) (int, error) {
			if s := fmt.Sprint(context.WithValue(ctx, keyOfValue{}, 1)); s == "" {
				t.Error("no text")
			}
			if s := fmt.Sprintf("%v", ctx); s != "joist/flight.load" {
				t.Errorf("printed %q", s)
			}
			return 0, nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}
