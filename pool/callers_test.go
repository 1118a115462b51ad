package pool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool"
)

func TestAFullPoolWhoseCallersRunHasThemRun(t *testing.T) {
	p := open(t, pool.Options{Workers: 1, Queue: 1, WhenFull: pool.CallerRuns})
	release := occupy(t, p, 1)
	if err := p.Go(t.Context(), nothing); err != nil {
		t.Fatal(err)
	}
	ran := false // no lock: it is this goroutine that runs it
	caller, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
	if err := p.Go(caller, func(ctx context.Context) {
		cancel()
		ran = ctx.Value(key{}) == "v" && ctx.Err() == nil
		if s := p.Stats(); s.Callers != 1 || s.Running != 1 || s.Queued != 1 {
			t.Errorf("got %+v", s)
		}
	}); err != nil || !ran {
		t.Errorf("ran %v, got %v", ran, err)
	}
	f, err := pool.Submit(t.Context(), p, func(context.Context) (int, error) { return 7, nil })
	if err != nil {
		t.Fatal(err)
	}
	if v, err := f.Wait(t.Context()); v != 7 || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
	if s := p.Stats(); s.OK != 2 || s.Callers != 0 || s.Rejected != 0 {
		t.Errorf("got %+v", s)
	}
	release()
}

func TestTryGoNeverWaitsNorRunsTheTaskItself(t *testing.T) {
	for _, policy := range []pool.WhenFull{pool.Block, pool.Reject, pool.CallerRuns} {
		p := open(t, pool.Options{Workers: 1, Queue: 1, WhenFull: policy})
		release := occupy(t, p, 1)
		if err := p.TryGo(t.Context(), nothing); err != nil {
			t.Errorf("%v: %v", policy, err)
		}
		if err := p.TryGo(t.Context(), func(context.Context) { t.Error("ran") }); !errors.Is(err, pool.ErrFull) {
			t.Errorf("%v: %v", policy, err)
		}
		if err := p.TryGo(t.Context(), nil); err != pool.ErrNilTask {
			t.Errorf("%v: %v", policy, err)
		}
		release()
	}
}

func TestAPanicOnTheCallersGoroutineGoesToOnPanicOrTheCaller(t *testing.T) {
	var told any
	for name, onPanic := range map[string]func(any, []byte){"OnPanic": func(v any, _ []byte) { told = v }, "the caller": nil} {
		p := open(t, pool.Options{Workers: 1, Queue: pool.NoQueue, WhenFull: pool.CallerRuns, OnPanic: onPanic})
		release := occupy(t, p, 1)
		told = nil
		func() {
			defer func() {
				if onPanic == nil {
					told = recover()
				}
			}()
			_ = p.Go(t.Context(), func(context.Context) { panic("boom") })
		}()
		if s := p.Stats(); told != "boom" || s.Panics != 1 || s.Callers != 0 {
			t.Errorf("%s: told %v, stats %+v", name, told, s)
		}
		release()
	}
}

func TestAGoexitOnTheCallersGoroutineIsCountedAndHoldsUpNoClose(t *testing.T) {
	p := open(t, pool.Options{Workers: 1, Queue: pool.NoQueue, WhenFull: pool.CallerRuns})
	release := occupy(t, p, 1)
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.Go(context.Background(), func(context.Context) { runtime.Goexit() }) })
	wg.Wait()
	if s := p.Stats(); s.Goexits != 1 || s.Callers != 0 {
		t.Errorf("got %+v", s)
	}
	release()
}

func TestCloseWaitsForTasksOnTheirCallersGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Queue: pool.NoQueue, WhenFull: pool.CallerRuns})
		release := occupy(t, p, 1)
		go func() { _ = p.Go(context.Background(), func(context.Context) { time.Sleep(time.Minute) }) }()
		synctest.Wait()
		release()
		began := time.Now()
		if err := p.Close(t.Context()); err != nil || time.Since(began) != time.Minute {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestATaskThatWaitsOnItsOwnPoolOfOneWorkerWorks(t *testing.T) {
	for name, c := range map[string]struct {
		policy pool.WhenFull
		wait   func(ctx context.Context) context.Context
	}{
		"with the context of the task":       {pool.Block, func(ctx context.Context) context.Context { return ctx }},
		"with a context derived from it":     {pool.Reject, func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, 1) }},
		"with any, where callers run":        {pool.CallerRuns, func(context.Context) context.Context { return context.Background() }},
		"with the context, and callers run":  {pool.CallerRuns, func(ctx context.Context) context.Context { return ctx }},
		"with a context that has no end now": {pool.Block, context.WithoutCancel},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, pool.Options{Workers: 1, WhenFull: c.policy})
			var depth func(ctx context.Context, n int) (int, error)
			depth = func(ctx context.Context, n int) (int, error) {
				if n == 0 {
					return 0, nil
				}
				f, err := pool.Submit(ctx, p, func(ctx context.Context) (int, error) { return depth(ctx, n-1) })
				if err != nil {
					return 0, err
				}
				v, err := f.Wait(c.wait(ctx))
				return v + 1, err
			}
			if v, err := depth(t.Context(), 20); v != 20 || err != nil {
				t.Errorf("got %v, %v", v, err)
			}
		})
	}
}

func TestAWaitInPlaceOfAWorkerStillLeavesWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1})
		run(t.Context(), t, p, func(ctx context.Context) {
			f, err := pool.Submit(ctx, p, func(context.Context) (int, error) { time.Sleep(time.Hour); return 1, nil })
			if err != nil {
				t.Error(err)
				return
			}
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if _, err := f.Wait(ctx); err != context.DeadlineExceeded {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestAGoexitOfATaskThatRunsInPlaceOfAWorkerIsTheWaitersError(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	run(t.Context(), t, p, func(ctx context.Context) {
		f, err := pool.Submit(ctx, p, func(context.Context) (int, error) { runtime.Goexit(); return 1, nil })
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := f.Wait(ctx); err != pool.ErrGoexit {
			t.Errorf("got %v", err)
		}
	})
	run(t.Context(), t, p, nothing)
}

func TestACancelledTaskLeavesItsPlaceToTheNextAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Queue: 1})
		release := occupy(t, p, 1)
		caller, cancel := context.WithCancel(t.Context())
		f, err := pool.Submit(caller, p, func(context.Context) (int, error) { t.Error("ran"); return 0, nil })
		if err != nil {
			t.Fatal(err)
		}
		placed := make(chan error)
		go func() { placed <- p.Go(t.Context(), nothing) }()
		synctest.Wait()
		cancel()
		if _, err := f.Wait(t.Context()); err != context.Canceled {
			t.Errorf("got %v", err)
		}
		if err := <-placed; err != nil { // the worker is busy still
			t.Error(err)
		}
		if s := p.Stats(); s.Cancelled != 1 || s.Queued != 1 || s.Waiting != 0 {
			t.Errorf("got %+v", s)
		}
		release()
	})
}
