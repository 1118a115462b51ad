package pool_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/pool"
)

func TestAFutureGivesTheValueAndTheErrorOfItsTaskToAllWaiters(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	boom := errors.New("boom")
	release := occupy(t, p, 1)
	f, err := pool.Submit(t.Context(), p, func(context.Context) (string, error) { return "v", boom })
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if v, err := f.Wait(t.Context()); v != "v" || err != boom {
				t.Errorf("got %v, %v", v, err)
			}
		})
	}
	release()
	wg.Wait()
	if v, err := f.Wait(t.Context()); v != "v" || err != boom {
		t.Errorf("later: got %v, %v", v, err)
	}
	if got := p.Stats(); got.Errors != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestAResultThatIsThereIsReturnedWhateverTheContextSays(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	f, err := pool.Submit(t.Context(), p, func(context.Context) (int, error) { return 7, nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if v, err := f.Wait(ctx); v != 7 || err != nil {
			t.Fatalf("got %v, %v", v, err)
		}
	}
}

// meeting is a context that ends, and lets the task end before, when somebody begins to wait for it: both are there at once.
type meeting struct {
	context.Context

	begin func()
}

func (m meeting) Done() <-chan struct{} {
	m.begin()
	return m.Context.Done()
}

func TestAResultThatMeetsTheEndOfTheContextIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1})
		for range 100 { // which of the two is seen is by chance
			hold := make(chan struct{})
			f, err := pool.Submit(t.Context(), p, func(context.Context) (int, error) { <-hold; return 7, nil })
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			both := sync.OnceFunc(func() {
				close(hold)
				synctest.Wait()
				cancel()
			})
			if v, err := f.Wait(meeting{ctx, both}); v != 7 || err != nil {
				t.Fatalf("got %v, %v", v, err)
			}
		}
	})
}

func TestAWaiterThatLeavesDoesNotStopTheTask(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	hold := make(chan struct{})
	f, err := pool.Submit(t.Context(), p, func(ctx context.Context) (int, error) { <-hold; return 7, ctx.Err() })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if v, err := f.Wait(ctx); v != 0 || err != context.DeadlineExceeded {
		t.Errorf("got %v, %v", v, err)
	}
	close(hold)
	if v, err := f.Wait(t.Context()); v != 7 || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}

func TestATaskThatIsCancelledInTheQueueFreesItsWaitersAtOnceAndIsNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1})
		release := occupy(t, p, 1)
		caller, cancel := context.WithCancel(t.Context())
		f, err := pool.Submit(caller, p, func(context.Context) (int, error) { t.Error("ran"); return 7, nil })
		if err != nil {
			t.Fatal(err)
		}
		result := make(chan error)
		for range 2 {
			go func() { _, err := f.Wait(t.Context()); result <- err }()
		}
		synctest.Wait()
		cancel()
		for range 2 {
			if err := <-result; err != context.Canceled { // the worker is busy still
				t.Errorf("got %v", err)
			}
		}
		release()
		synctest.Wait()
		if got := p.Stats(); got.Cancelled != 1 || got.OK != 1 || got.Queued != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestATaskWhoseContextEndsInTheQueueIsNotRunThoughNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1})
		release := occupy(t, p, 1)
		caller, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f, err := pool.Submit(caller, p, func(context.Context) (int, error) { t.Error("ran"); return 7, nil })
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		release()
		synctest.Wait()
		if _, err := f.Wait(t.Context()); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		if got := p.Stats(); got.Cancelled != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestARunningTaskDecidesWhatTheEndOfItsContextMeans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1})
		caller, cancel := context.WithCancel(t.Context())
		f, err := pool.Submit(caller, p, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			time.Sleep(time.Second)
			return 7, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		cancel()
		if v, err := f.Wait(context.Background()); v != 7 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
	})
}

func TestAPanicReachesTheWaitersWithItsValueAndItsStack(t *testing.T) {
	p := open(t, pool.Options{Workers: 1, OnPanic: func(any, []byte) { t.Error("OnPanic was told, though there is a waiter") }})
	boom := errors.New("boom")
	f, err := pool.Submit(t.Context(), p, func(context.Context) (int, error) { explode(boom); return 1, nil })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		v, err := f.Wait(t.Context())
		broke, ok := errors.AsType[*pool.PanicError](err)
		if !ok || v != 0 || broke.Value != boom || !errors.Is(err, boom) {
			t.Fatalf("got %v, %v", v, err)
		}
		if !strings.Contains(string(broke.Stack), "pool_test.explode") {
			t.Errorf("the stack does not show where it panicked:\n%s", broke.Stack)
		}
		if refusal.Refused(err) {
			t.Error("a panic passes for a refusal")
		}
	}
	run(t.Context(), t, p, nothing) // the worker is replaced
	if got := p.Stats(); got.Panics != 1 || got.Workers != 1 {
		t.Errorf("got %+v", got)
	}
}

func explode(with any) { panic(with) }

func TestAPanicWithARefusalIsNoRefusal(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	inner := &pool.FullError{Name: "inner", Wait: time.Second}
	f, err := pool.Submit(t.Context(), p, func(context.Context) (int, error) { panic(inner) })
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Wait(t.Context())
	if _, hinted := refusal.RetryAfter(err); hinted || refusal.Refused(err) || !errors.Is(err, pool.ErrFull) {
		t.Errorf("%v says that the task was not run", err)
	}
}

func TestAGoexitIsAnErrorAndLosesNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which a worker that is missed is a deadlock, seen at once
		p := open(t, pool.Options{Workers: 2})
		for range 20 {
			f, err := pool.Submit(t.Context(), p, func(context.Context) (int, error) { runtime.Goexit(); return 1, nil })
			if err != nil {
				t.Fatal(err)
			}
			if v, err := f.Wait(t.Context()); v != 0 || err != pool.ErrGoexit {
				t.Fatalf("got %v, %v", v, err)
			}
			done := make(chan struct{})
			if err := p.Go(t.Context(), func(context.Context) { defer close(done); runtime.Goexit() }); err != nil {
				t.Fatal(err)
			}
			<-done
		}
		release := occupy(t, p, 2) // returns only if both workers are there
		if got := p.Stats(); got.Workers != 2 || got.Running != 2 || got.Goexits != 40 {
			t.Errorf("got %+v", got)
		}
		release()
	})
}

func TestATaskMayWaitForAnotherThatHasAWorker(t *testing.T) {
	p := open(t, pool.Options{Workers: 2})
	outer, err := pool.Submit(t.Context(), p, func(ctx context.Context) (int, error) {
		inner, err := pool.Submit(ctx, p, func(context.Context) (int, error) { return 20, nil })
		if err != nil {
			return 0, err
		}
		v, err := inner.Wait(ctx)
		return v + 1, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := outer.Wait(t.Context()); v != 21 || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}
