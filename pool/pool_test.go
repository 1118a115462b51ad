package pool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/pool"
)

func TestATaskRunsAndIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 2})
		var ran atomic.Int64
		for range 10 {
			if err := p.Go(t.Context(), func(context.Context) { ran.Add(1) }); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := p.Stats(); ran.Load() != 10 || got.OK != 10 || got.Running != 0 || got.Queued != 0 {
			t.Errorf("ran %d, stats %+v", ran.Load(), got)
		}
	})
}

func TestNoMoreTasksRunAtOnceThanThereAreWorkers(t *testing.T) {
	const workers = 3
	p := open(t, pool.Options{Workers: workers, Queue: 8})
	var running, most atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				if err := p.Go(context.Background(), func(context.Context) {
					n := running.Add(1)
					for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
					}
					runtime.Gosched()
					running.Add(-1)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if most.Load() > workers {
		t.Errorf("%d tasks ran at once", most.Load())
	}
}

func TestAllWorkersWorkAtOnceAlthoughTheyStartWhenNeeded(t *testing.T) {
	p := open(t, pool.Options{Workers: 5, Queue: 8})
	if got := p.Stats().Workers; got != 0 {
		t.Errorf("%d workers before the first task", got)
	}
	release := occupy(t, p, 5) // returns only if five tasks run at once
	if got := p.Stats(); got.Workers != 5 || got.Running != 5 {
		t.Errorf("got %+v", got)
	}
	release()
}

func TestTasksOfOneWorkerRunInTheOrderOfTheirCalls(t *testing.T) {
	p := open(t, pool.Options{Workers: 1, Queue: 100})
	release := occupy(t, p, 1)
	var got []int
	for i := range 50 {
		if err := p.Go(t.Context(), func(context.Context) { got = append(got, i) }); err != nil {
			t.Fatal(err)
		}
	}
	release()
	run(t.Context(), t, p, nothing)
	for i, v := range got {
		if i != v {
			t.Fatalf("order %v", got)
		}
	}
	if len(got) != 50 {
		t.Errorf("%d tasks ran", len(got))
	}
}

func TestANilTaskIsAnError(t *testing.T) {
	p := open(t, pool.Options{})
	if err := p.Go(t.Context(), nil); err != pool.ErrNilTask {
		t.Errorf("Go: %v", err)
	}
	if f, err := pool.Submit[int](t.Context(), p, nil); f != nil || err != pool.ErrNilTask {
		t.Errorf("Submit: %v, %v", f, err)
	}
}

func TestAnEndedContextIsReportedAsItIsAndTheTaskIsNotRun(t *testing.T) {
	p := open(t, pool.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Go(ctx, func(context.Context) { t.Error("ran") }); err != context.Canceled {
		t.Errorf("Go: %v", err)
	}
	if f, err := pool.Submit(ctx, p, zero); f != nil || err != context.Canceled {
		t.Errorf("Submit: %v, %v", f, err)
	}
	if got := p.Stats(); got.Cancelled != 2 || got.Running != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestAFullPoolThatRejectsDoesSoAtOnce(t *testing.T) {
	p := open(t, pool.Options{Name: "thumbs", Workers: 1, Queue: 2, WhenFull: pool.Reject})
	release := occupy(t, p, 1)
	defer release()
	for range 2 {
		if err := p.Go(t.Context(), nothing); err != nil {
			t.Fatal(err)
		}
	}
	err := p.Go(t.Context(), func(context.Context) { t.Error("ran") })
	full, ok := errors.AsType[*pool.FullError](err)
	if !ok || !errors.Is(err, pool.ErrFull) || errors.Is(err, context.DeadlineExceeded) || !refusal.Refused(err) {
		t.Fatalf("got %v", err)
	}
	if full.Name != "thumbs" || full.Workers != 1 || full.Queue != 2 || full.Cause != nil {
		t.Errorf("got %+v", full)
	}
	if _, err := pool.Submit(t.Context(), p, zero); !errors.Is(err, pool.ErrFull) {
		t.Errorf("Submit: %v", err)
	}
	if got := p.Stats(); got.Rejected != 2 || got.Queued != 2 || got.Running != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestTheHintIsTheTimeTheWorkersNeedForAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 2, Queue: 10, WhenFull: pool.Reject})
		run(t.Context(), t, p, func(context.Context) { time.Sleep(time.Second) })
		synctest.Wait()
		for range 12 {
			if err := p.Go(t.Context(), func(context.Context) { time.Sleep(time.Second) }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if wait, _ := refusal.RetryAfter(p.Go(t.Context(), nothing)); wait != 5*time.Second {
			t.Errorf("hint %v, want 10 tasks × 1s / 2 workers", wait)
		}
	})
}

func TestAFullPoolThatBlocksWaitsForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Queue: 1})
		began := time.Now()
		for range 2 {
			if err := p.Go(t.Context(), func(context.Context) { time.Sleep(time.Second) }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if err := p.Go(t.Context(), nothing); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(began); got != time.Second {
			t.Errorf("waited %v for the place that was free after 1s", got)
		}
	})
}

func TestAWaitForAPlaceThatEndsAtTheDeadlineIsARefusalAndADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Queue: 1})
		release := occupy(t, p, 1)
		defer release()
		_ = p.Go(t.Context(), nothing)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := p.Go(ctx, func(context.Context) { t.Error("ran") })
		if !errors.Is(err, pool.ErrFull) || !errors.Is(err, context.DeadlineExceeded) || !refusal.Refused(err) {
			t.Errorf("got %v", err)
		}
		if got := time.Since(began); got != time.Second {
			t.Errorf("after %v", got)
		}
		if got := p.Stats(); got.Rejected != 1 || got.Cancelled != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestAWaitForAPlaceThatTheCallerCancelsIsNoRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Queue: 1})
		release := occupy(t, p, 1)
		defer release()
		_ = p.Go(t.Context(), nothing)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() { result <- p.Go(ctx, func(context.Context) { t.Error("ran") }) }()
		synctest.Wait()
		cancel()
		if err := <-result; err != context.Canceled {
			t.Errorf("got %v", err)
		}
		if got := p.Stats(); got.Rejected != 0 || got.Cancelled != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestWithoutAQueueThereIsAPlaceOnlyWhereAWorkerIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 2, Queue: pool.NoQueue, WhenFull: pool.Reject})
		for round := range 2 { // first on workers that start, then on workers that are idle
			release := occupy(t, p, 2)
			if err := p.Go(t.Context(), nothing); !errors.Is(err, pool.ErrFull) {
				t.Errorf("round %d: got %v", round, err)
			}
			release()
			synctest.Wait()
		}
		if got := p.Stats(); got.OK != 4 || got.Rejected != 2 || got.Workers != 2 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestATaskThatWaitsForAPlaceInItsOwnFullPoolStopsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Queue: pool.NoQueue})
		run(t.Context(), t, p, func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if err := p.Go(ctx, nothing); !errors.Is(err, pool.ErrFull) {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestTheTimeOfSlowTasksIsKnownFromTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1})
		run(t.Context(), t, p, func(context.Context) { time.Sleep(time.Minute) })
		for range 100 {
			run(t.Context(), t, p, func(context.Context) { time.Sleep(time.Second) })
		}
		synctest.Wait()
		if got := p.Stats().Typical; got < time.Second || got > 1100*time.Millisecond {
			t.Errorf("typical time %v after 100 tasks of 1s", got)
		}
	})
}
