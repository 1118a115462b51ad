package pool_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool"
)

// TestATaskThatWaitsForItsPoolByWayOfAnotherPoolWorks has the only worker of a pool wait for a task of a second pool, which
// waits for a task of the first.
func TestATaskThatWaitsForItsPoolByWayOfAnotherPoolWorks(t *testing.T) {
	first, second := open(t, pool.Options{Workers: 1}), open(t, pool.Options{Workers: 1})
	ask := func(ctx context.Context, p *pool.Pool, fn func(context.Context) (int, error)) (int, error) {
		f, err := pool.Submit(ctx, p, fn)
		if err != nil {
			return 0, err
		}
		return f.Wait(ctx)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // where it fails
	defer cancel()
	v, err := ask(ctx, first, func(ctx context.Context) (int, error) {
		return ask(ctx, second, func(ctx context.Context) (int, error) {
			return ask(ctx, first, func(context.Context) (int, error) { return 7, nil })
		})
	})
	if v != 7 || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}

func TestTasksThatDoNotRunAreNotTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1})
		run(t.Context(), t, p, func(context.Context) { time.Sleep(time.Second) })
		synctest.Wait()
		release := occupy(t, p, 1)
		caller, cancel := context.WithCancel(t.Context())
		for range 100 {
			if _, err := pool.Submit(caller, p, zero); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		time.Sleep(time.Second) // so that the task that occupies the worker takes as long as the first
		release()
		synctest.Wait()
		if s := p.Stats(); s.Cancelled != 100 || s.Typical != time.Second {
			t.Errorf("got %+v", s)
		}
	})
}
