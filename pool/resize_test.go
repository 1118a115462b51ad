package pool_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool"
)

func TestWorkersThatAreIdleForTheIdleTimeoutEnd(t *testing.T) {
	for name, c := range map[string]struct{ option, want time.Duration }{
		"the default": {0, pool.DefaultIdleTimeout}, "a second": {time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := open(t, pool.Options{Workers: 4, IdleTimeout: c.option})
				occupy(t, p, 4)()
				synctest.Wait()
				time.Sleep(c.want - 1)
				if got := p.Stats().Workers; got != 4 {
					t.Errorf("%d workers a nanosecond before", got)
				}
				time.Sleep(1)
				synctest.Wait()
				if got := p.Stats().Workers; got != 0 {
					t.Errorf("%d workers after it", got)
				}
				occupy(t, p, 4)() // they come again
			})
		})
	}
}

func TestEachWorkerEndsWhenItHasBeenIdleForTheIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 2, IdleTimeout: time.Minute})
		first, second := occupy(t, p, 1), occupy(t, p, 1)
		first()
		time.Sleep(20 * time.Second)
		second()
		synctest.Wait()
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{40*time.Second - 1, 2}, {1, 1}, {20*time.Second - 1, 1}, {1, 0}} {
			time.Sleep(c.after)
			synctest.Wait()
			if got := p.Stats().Workers; got != c.want {
				t.Errorf("%v later there are %d workers, want %d", c.after, got, c.want)
			}
		}
	})
}

func TestAWorkerThatIsNeededNowAndThenStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 4, IdleTimeout: time.Minute})
		occupy(t, p, 4)()
		synctest.Wait()
		for range 10 {
			time.Sleep(50 * time.Second)
			run(t.Context(), t, p, nothing)
			synctest.Wait()
		}
		if got := p.Stats().Workers; got != 1 {
			t.Errorf("%d workers, want the one that is needed", got)
		}
	})
}

func TestWorkersStayWithKeepIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 4, IdleTimeout: pool.KeepIdle})
		occupy(t, p, 4)()
		time.Sleep(1000 * time.Hour)
		if got := p.Stats().Workers; got != 4 {
			t.Errorf("%d workers", got)
		}
	})
}

func TestResizeBelowTheNumberInFlightLetsTasksEndAndStartsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 5, Queue: 20})
		release := occupy(t, p, 5)
		var running, most atomic.Int64
		for range 10 {
			if err := p.Go(t.Context(), func(context.Context) {
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(time.Second)
				running.Add(-1)
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Resize(2); err != nil {
			t.Fatal(err)
		}
		if s := p.Stats(); s.Limit != 2 || s.Workers != 5 || s.Running != 5 || s.Queued != 10 {
			t.Errorf("at once: %+v", s)
		}
		release()
		synctest.Wait()
		if s := p.Stats(); s.Workers != 2 || s.Running != 2 {
			t.Errorf("after their tasks: %+v", s)
		}
		time.Sleep(time.Minute)
		if s := p.Stats(); s.OK != 15 || most.Load() != 2 {
			t.Errorf("%d at once, %+v", most.Load(), s)
		}
	})
}

func TestResizeEndsIdleWorkersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 5, IdleTimeout: pool.KeepIdle})
		occupy(t, p, 5)()
		synctest.Wait()
		if err := p.Resize(1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := p.Stats(); s.Workers != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestResizeStartsWorkersForWhatWaitsAndAdmitsCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Queue: 1})
		release := occupy(t, p, 1)
		var wg sync.WaitGroup
		ran := make(chan struct{}, 3)
		for range 3 {
			wg.Go(func() { _ = p.Go(t.Context(), func(context.Context) { ran <- struct{}{} }) })
		}
		synctest.Wait()
		if s := p.Stats(); s.Queued != 1 || s.Waiting != 2 {
			t.Fatalf("got %+v", s)
		}
		if err := p.Resize(4); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			<-ran // though the first worker is busy still
		}
		wg.Wait()
		release()
	})
}

func TestResizeToNothingIsAnError(t *testing.T) {
	p := open(t, pool.Options{Workers: 3})
	for _, n := range []int{0, -1, pool.MaxWorkers + 1} {
		if err := p.Resize(n); err == nil {
			t.Errorf("%d is taken", n)
		}
	}
	if got := p.Stats().Limit; got != 3 {
		t.Errorf("the limit is %d", got)
	}
}
