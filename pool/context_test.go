package pool_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool"
)

type key struct{}

func TestATaskOfGoKeepsTheValuesOfItsCallerAndNotItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1})
		gone := errors.New("the caller has left")
		caller, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "v"))
		caller, stop := context.WithTimeout(caller, time.Hour)
		defer stop()
		run(caller, t, p, func(ctx context.Context) {
			cancel(gone)
			synctest.Wait()
			if ctx.Value(key{}) != "v" {
				t.Error("no value")
			}
			if _, ok := ctx.Deadline(); ok || ctx.Err() != nil || context.Cause(ctx) != nil {
				t.Errorf("deadline %v, err %v, cause %v", ok, ctx.Err(), context.Cause(ctx))
			}
			child, cancelChild := context.WithCancel(ctx)
			defer cancelChild()
			if child.Err() != nil || child.Value(key{}) != "v" {
				t.Errorf("child: err %v, value %v", child.Err(), child.Value(key{}))
			}
		})
	})
}

// endedBy checks that ctx and a child of it end, with the given error and cause.
func endedBy(ctx context.Context, t *testing.T, end func(), err, cause error) {
	t.Helper()
	child, cancel := context.WithCancel(ctx)
	defer cancel()
	end()
	<-ctx.Done()
	<-child.Done()
	for name, ctx := range map[string]context.Context{"context": ctx, "child": child} {
		if ctx.Err() != err || !errors.Is(context.Cause(ctx), cause) {
			t.Errorf("%s: err %v, cause %v", name, ctx.Err(), context.Cause(ctx))
		}
	}
}

func TestATaskOfSubmitKeepsItsCallersContext(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	gone := errors.New("the caller has left")
	caller, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "v"))
	caller, stop := context.WithTimeout(caller, time.Hour)
	defer stop()
	f, err := pool.Submit(caller, p, func(ctx context.Context) (any, error) {
		want, _ := caller.Deadline()
		if got, ok := ctx.Deadline(); !ok || !got.Equal(want) {
			t.Errorf("deadline %v", got)
		}
		endedBy(ctx, t, func() { cancel(gone) }, context.Canceled, gone)
		return ctx.Value(key{}), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := f.Wait(t.Context()); v != "v" || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}

func TestATaskThatNeverWaitsForTheEndOfItsContextSeesItAllTheSame(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	gone := errors.New("the caller has left")
	caller, cancel := context.WithCancelCause(t.Context())
	f, err := pool.Submit(caller, p, func(ctx context.Context) (error, error) {
		if ctx.Err() != nil || context.Cause(ctx) != nil {
			t.Errorf("before: %v, %v", ctx.Err(), context.Cause(ctx))
		}
		cancel(gone)
		return ctx.Err(), context.Cause(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err, cause := f.Wait(t.Context()); err != context.Canceled || cause != gone {
		t.Errorf("got %v, cause %v", err, cause)
	}
}

func TestTheContextOfATaskOfSubmitEndsWithTheTask(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	for name, look := range map[string]func(context.Context){
		"never asked for Done": func(context.Context) {},
		"asked for Done":       func(ctx context.Context) { ctx.Done() },
	} {
		t.Run(name, func(t *testing.T) {
			f, err := pool.Submit(context.Background(), p, func(ctx context.Context) (context.Context, error) {
				look(ctx)
				return ctx, ctx.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, err := f.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			<-ctx.Done()
			if ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
				t.Errorf("err %v, cause %v", ctx.Err(), context.Cause(ctx))
			}
		})
	}
}

func TestAClosingPoolEndsTheContextsOfWhatRunsAndSaysWhy(t *testing.T) {
	type start func(p *pool.Pool, ctx context.Context, fn func(context.Context)) error
	goes := start(func(p *pool.Pool, ctx context.Context, fn func(context.Context)) error { return p.Go(ctx, fn) })
	submits := start(func(p *pool.Pool, ctx context.Context, fn func(context.Context)) error {
		_, err := pool.Submit(ctx, p, func(ctx context.Context) (int, error) { fn(ctx); return 0, nil })
		return err
	})
	lasting, stop := context.WithTimeout(context.WithValue(t.Context(), key{}, "v"), time.Hour)
	defer stop()
	for name, c := range map[string]struct {
		start start
		ctx   context.Context
	}{
		"Go":                             {goes, context.Background()},
		"Go with a caller's context":     {goes, lasting},
		"Submit":                         {submits, context.Background()},
		"Submit with a caller's context": {submits, lasting},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, pool.Options{Workers: 2})
			now, cancel := context.WithCancel(t.Context())
			cancel()
			asking, waiting := make(chan struct{}), make(chan struct{})
			var done [2]chan struct{}
			for i := range done {
				done[i] = make(chan struct{})
			}
			if err := c.start(p, c.ctx, func(ctx context.Context) { // never asks for Done
				defer close(done[0])
				close(asking)
				<-waiting
				if ctx.Err() != context.Canceled || !errors.Is(context.Cause(ctx), pool.ErrClosed) {
					t.Errorf("err %v, cause %v", ctx.Err(), context.Cause(ctx))
				}
			}); err != nil {
				t.Fatal(err)
			}
			<-asking
			if err := c.start(p, c.ctx, func(ctx context.Context) {
				defer close(done[1])
				endedBy(ctx, t, func() {
					if err := p.Close(now); err == nil {
						t.Error("Close says that nothing was left")
					}
					close(waiting)
				}, context.Canceled, pool.ErrClosed)
			}); err != nil {
				t.Fatal(err)
			}
			<-done[0]
			<-done[1]
		})
	}
}

func TestWhatATaskLeavesBehindEndsWithClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1})
		for _, ctx := range []context.Context{context.Background(), t.Context()} {
			run(ctx, t, p, func(ctx context.Context) {
				go func() { // a bubble does not end before its goroutines have
					<-ctx.Done()
					if cause := context.Cause(ctx); !errors.Is(cause, pool.ErrClosed) {
						t.Errorf("the cause is %v", cause)
					}
				}()
			})
		}
	})
}
