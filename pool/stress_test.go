package pool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/joist-go/joist/pool"
)

// TestACancelThatRacesWithAWorkerEndsInOneResult has waiters cancel tasks at the moment when workers come to them.
func TestACancelThatRacesWithAWorkerEndsInOneResult(t *testing.T) {
	const callers, calls = 4, 500
	p := open(t, pool.Options{Workers: 2, Queue: 4})
	var ran, values, cancelled atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				ctx, cancel := context.WithCancel(context.Background())
				f, err := pool.Submit(ctx, p, func(context.Context) (int, error) { ran.Add(1); return 7, nil })
				if err != nil {
					t.Error(err)
					cancel()
					return
				}
				go cancel()
				var results [2]error
				for i := range results {
					v, err := f.Wait(context.Background())
					if results[i] = err; (v == 7) != (err == nil) {
						t.Errorf("got %v, %v", v, err)
					}
				}
				switch {
				case results[0] != results[1]:
					t.Errorf("first %v, then %v", results[0], results[1])
				case results[0] == nil:
					values.Add(1)
				case errors.Is(results[0], context.Canceled):
					cancelled.Add(1)
				default:
					t.Error(results[0])
				}
			}
		})
	}
	wg.Wait()
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if ran.Load() != values.Load() || values.Load()+cancelled.Load() != callers*calls {
		t.Errorf("ran %d, values %d, cancelled %d", ran.Load(), values.Load(), cancelled.Load())
	}
	if s := p.Stats(); s.OK != values.Load() || s.Cancelled != cancelled.Load() {
		t.Errorf("stats %+v, values %d, cancelled %d", s, values.Load(), cancelled.Load())
	}
}

// TestWaitingCallersLeaveNoPlaceBehind has callers give up while workers make places for them.
func TestWaitingCallersLeaveNoPlaceBehind(t *testing.T) {
	const callers, calls = 4, 300
	p := open(t, pool.Options{Workers: 1, Queue: 1})
	var ran, taken, given atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				ctx, cancel := context.WithCancel(context.Background())
				go cancel()
				switch err := p.Go(ctx, func(context.Context) { ran.Add(1); runtime.Gosched() }); {
				case err == nil:
					taken.Add(1)
				case errors.Is(err, context.Canceled):
					given.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	s := p.Stats()
	if ran.Load() != taken.Load() || s.OK != taken.Load() || s.Cancelled != given.Load() || ended(s) != callers*calls {
		t.Errorf("ran %d, taken %d, given up %d, stats %+v", ran.Load(), taken.Load(), given.Load(), s)
	}
}

// TestATaskBehindALongOneIsRunByOthers has a pool learn that tasks are small, so that its workers take several at once, and
// then gives it one that does not end before those that came after it have. Tasks that bring themselves again keep the queue
// from ever being empty, or full: what is in the hand of the worker that waits has to be looked for there.
func TestATaskBehindALongOneIsRunByOthers(t *testing.T) {
	const rounds, others, fillers, enough = 20, 32, 200, 200_000
	p := open(t, pool.Options{Workers: 2, Queue: 4096})
	for range rounds {
		for range 2000 {
			if err := p.Go(context.Background(), nothing); err != nil {
				t.Fatal(err)
			}
		}
		release := occupy(t, p, 2) // so that there is a queue when the workers come
		after := make(chan struct{})
		var left, runs atomic.Int64
		left.Store(others)
		tasks := []func(context.Context){func(context.Context) { <-after }}
		for range others {
			tasks = append(tasks, func(context.Context) {
				if left.Add(-1) == 0 {
					close(after)
				}
			})
		}
		var ended sync.WaitGroup
		var fill func(context.Context)
		fill = func(ctx context.Context) {
			if left.Load() > 0 {
				if n := runs.Add(1); n < enough {
					if err := p.TryGo(ctx, fill); err != nil {
						t.Error(err)
						ended.Done()
					}
					return
				} else if n == enough {
					t.Errorf("%d younger tasks have run, and %d of those behind the long one have not", n, left.Load())
					if left.Swap(-others) > 0 {
						close(after)
					}
				}
			}
			ended.Done()
		}
		ended.Add(fillers)
		for range fillers {
			tasks = append(tasks, fill)
		}
		for _, task := range tasks {
			if err := p.Go(context.Background(), task); err != nil {
				t.Fatal(err)
			}
		}
		release()
		<-after
		if ended.Wait(); t.Failed() {
			return
		}
	}
}
