package flight_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/flight"
)

// This one fails when a hung load holds its key or its waiters.
func TestALoadThatIgnoresItsContextHoldsNeitherWaitersNorKeyPastTheTimeout(t *testing.T) {
	for _, detached := range []bool{true, false} {
		bubbles(t, func(t *testing.T, ctx context.Context) {
			g := newGroup(t, flight.Options{Name: "users", Detached: detached, Timeout: time.Second})
			o := observe()
			start := time.Now()
			leader := call(ctx, g, "k", o.load(1))
			time.Sleep(time.Second / 2)
			follower := call(ctx, g, "k", answers(0))
			for _, w := range []*waiter{leader, follower} {
				r := <-w.got
				timeout, ok := errors.AsType[*flight.TimeoutError](r.err)
				if !ok || *timeout != (flight.TimeoutError{Name: "users", After: time.Second}) {
					t.Errorf("err = %v, want a TimeoutError", r.err)
				}
				if !errors.Is(r.err, context.DeadlineExceeded) {
					t.Errorf("%v is no DeadlineExceeded", r.err)
				}
			}
			if d := time.Since(start); d != time.Second {
				t.Errorf("answered after %v, want the Timeout from the start of the load", d)
			}
			synctest.Wait()
			if cause := context.Cause(o.ctx); o.ctx.Err() != context.DeadlineExceeded || !errors.Is(cause, context.DeadlineExceeded) {
				t.Errorf("the load's context: %v, %v", o.ctx.Err(), cause)
			}
			fresh := observe()
			second := call(ctx, g, "k", fresh.load(2))
			close(o.gate) // the late answer is dropped, and the new load keeps its key
			third := call(ctx, g, "k", answers(0))
			close(fresh.gate)
			second.want(t, 2, false, nil)
			third.want(t, 2, true, nil)
			synctest.Wait()
			if s := g.Stats(); s != (flight.Stats{Leaders: 2, Shared: 2, Timeouts: 1}) {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestALoadSeesItsDeadlineAndObeysIt(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{Timeout: time.Second})
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		start := time.Now()
		_, err := g.Do(short, "k", func(ctx context.Context) (int, error) {
			if at, ok := ctx.Deadline(); !ok || at.Sub(start) != time.Second {
				t.Errorf("Deadline = %v, %v; want the load's own", at.Sub(start), ok)
			}
			child, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			<-child.Done()
			if _, ok := errors.AsType[*flight.TimeoutError](context.Cause(child)); !ok {
				t.Errorf("Cause = %v", context.Cause(child))
			}
			return 0, child.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestADetachedLoadHasADeadlineByDefault(t *testing.T) {
	tests := []struct {
		name    string
		options flight.Options
		want    time.Duration // 0: none
	}{
		{"detached", flight.Options{Detached: true}, flight.DefaultTimeout},
		{"detached without", flight.Options{Detached: true, Timeout: flight.NoTimeout}, 0},
		{"not detached", flight.Options{}, 0},
		{"not detached with", flight.Options{Timeout: time.Minute}, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubbles(t, func(t *testing.T, ctx context.Context) {
				g, start := newGroup(t, tt.options), time.Now()
				_, err := g.Do(ctx, "k", func(ctx context.Context) (int, error) {
					at, ok := ctx.Deadline()
					if ok != (tt.want > 0) || ok && at.Sub(start) != tt.want {
						t.Errorf("Deadline = %v, %v; want %v from now", at, ok, tt.want)
					}
					return 0, nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A timer that runs on would keep the load, its answer and the leader's values in memory until the Timeout.
func TestALoadThatHasEndedIsCollectedThoughItsDeadlineIsFar(t *testing.T) {
	for name, load := range map[string]func(context.Context) (int, error){
		"that has not asked for its end": answers(1),
		"that has": func(ctx context.Context) (int, error) {
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			return 1, child.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGroup(t, flight.Options{Timeout: time.Hour})
			value := new([64]byte)
			collected := make(chan struct{})
			runtime.AddCleanup(value, func(done chan struct{}) { close(done) }, collected)
			if _, err := g.Do(context.WithValue(t.Context(), keyOfValue{}, value), "k", load); err != nil {
				t.Fatal(err)
			}
			for range 1000 {
				runtime.GC()
				select {
				case <-collected:
					return
				default:
					runtime.Gosched()
				}
			}
			t.Error("a value of the leader's context was never collected: something holds the load")
		})
	}
}
