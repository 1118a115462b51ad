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

	"pgregory.net/rapid"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/pool"
)

func TestCloseRunsAllThatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 2})
		var ran atomic.Int64
		for range 20 {
			if err := p.Go(t.Context(), func(context.Context) { time.Sleep(time.Second); ran.Add(1) }); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(began); ran.Load() != 20 || got != 10*time.Second {
			t.Errorf("ran %d in %v", ran.Load(), got)
		}
		if got := p.Stats(); got.Workers != 0 || got.Running != 0 || got.OK != 20 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestAClosedPoolRefuses(t *testing.T) {
	p := open(t, pool.Options{Name: "thumbs"})
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Go":     p.Go(t.Context(), nothing),
		"Submit": func() error { _, err := pool.Submit(t.Context(), p, zero); return err }(),
	} {
		closed, ok := errors.AsType[*pool.ClosedError](err)
		if !ok || closed.Name != "thumbs" || !errors.Is(err, pool.ErrClosed) || !refusal.Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := refusal.RetryAfter(err); ok {
			t.Errorf("%s: a closed pool asks to come again", name)
		}
	}
	if got := p.Stats(); got.Rejected != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestCloseGivesUpAtTheEndOfItsContextAndHandsBackWhatHasNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Name: "thumbs", Workers: 1})
		stopped := false
		if err := p.Go(t.Context(), func(ctx context.Context) { <-ctx.Done(); stopped = true }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var got []int
		for i := range 3 {
			_ = p.Go(t.Context(), func(context.Context) { got = append(got, i) })
		}
		f, err := pool.Submit(t.Context(), p, zero)
		if err != nil {
			t.Fatal(err)
		}
		caller, cancel := context.WithCancel(t.Context())
		left, err := pool.Submit(caller, p, zero)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := left.Wait(t.Context()); err != context.Canceled {
			t.Error(err)
		}

		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		began := time.Now()
		err = p.Close(ctx)
		unfinished, ok := errors.AsType[*pool.CloseError](err)
		if !ok || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Fatalf("got %v after %v", err, time.Since(began))
		}
		if unfinished.Name != "thumbs" || len(unfinished.NotRun) != 3 || unfinished.Dropped != 4 || unfinished.Running != 1 {
			t.Errorf("got %+v", unfinished)
		}
		for _, fn := range unfinished.NotRun {
			fn(t.Context())
		}
		if len(got) != 3 || got[0] != 0 || got[1] != 1 || got[2] != 2 {
			t.Errorf("the tasks that were handed back did %v", got)
		}
		if _, err := f.Wait(t.Context()); !errors.Is(err, pool.ErrClosed) || !refusal.Refused(err) {
			t.Errorf("the future: %v", err)
		}
		if err := p.Close(t.Context()); err != nil || !stopped {
			t.Errorf("the second Close: %v, stopped %v", err, stopped)
		}
		if s := p.Stats(); s.OK != 1 || s.Dropped != 4 || s.Cancelled != 1 || ended(s) != 6 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestCloseReturnsThoughATaskIgnoresItsContextAndALaterCloseWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1})
		release := occupy(t, p, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 2 {
			err := p.Close(ctx)
			unfinished, ok := errors.AsType[*pool.CloseError](err)
			if !ok || unfinished.Running != 1 || unfinished.Dropped != 0 {
				t.Fatalf("got %v", err)
			}
		}
		result := make(chan error)
		go func() { result <- p.Close(context.Background()) }()
		synctest.Wait()
		release()
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestAnIdlePoolClosesWhateverTheContextSays(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		p := open(t, pool.Options{Workers: 4})
		occupy(t, p, 4)()
		synced := make(chan struct{})
		f, err := pool.Submit(t.Context(), p, func(context.Context) (int, error) { close(synced); return 0, nil })
		if err != nil {
			t.Fatal(err)
		}
		<-synced
		_, _ = f.Wait(t.Context())
		for p.Stats().Running != 0 {
			runtime.Gosched()
		}
		if err := p.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCloseOfAPoolThatNeverWorkedReturnsAtOnce(t *testing.T) {
	p := open(t, pool.Options{})
	for range 3 {
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCloseWakesThoseWhoWaitForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Queue: 1})
		release := occupy(t, p, 1)
		_ = p.Go(t.Context(), nothing)
		const waiting = 5
		result := make(chan error, waiting)
		for range waiting {
			go func() { result <- p.Go(t.Context(), func(context.Context) { t.Error("ran") }) }()
		}
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- p.Close(t.Context()) }()
		for range waiting {
			if err := <-result; !errors.Is(err, pool.ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
		release()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if s := p.Stats(); s.OK != 2 || s.Rejected != waiting {
			t.Errorf("got %+v", s)
		}
	})
}

// TestCloseUnderLoadLosesNothing checks for every task that it ran, was handed back or was refused, and nothing twice.
func TestCloseUnderLoadLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p, err := pool.New(pool.Options{
			Workers:  rapid.IntRange(1, 4).Draw(rt, "workers"),
			Queue:    rapid.SampledFrom([]int{pool.NoQueue, 1, 3, 64}).Draw(rt, "queue"),
			WhenFull: rapid.SampledFrom([]pool.WhenFull{pool.Block, pool.Reject, pool.CallerRuns}).Draw(rt, "when full"),
			Fair:     rapid.Bool().Draw(rt, "fair"),
			OnPanic:  func(any, []byte) {},
		})
		if err != nil {
			rt.Fatal(err)
		}
		const callers, calls = 4, 50
		var ran, refused, came, broken atomic.Int64
		var wg sync.WaitGroup
		half := make(chan struct{})
		for c := range callers {
			wg.Go(func() {
				for i := range calls {
					if c == 0 && i == calls/2 {
						close(half)
					}
					came.Add(1)
					var err error
					switch (c + i) % 8 {
					case 0:
						_, err = pool.Submit(context.Background(), p, func(context.Context) (int, error) { ran.Add(1); return 0, nil })
					case 1:
						err = p.Go(context.Background(), func(context.Context) { ran.Add(1); panic("boom") })
					case 2:
						err = p.TryGo(context.Background(), func(context.Context) { ran.Add(1); runtime.Goexit() })
					case 3:
						err = p.Go(pool.WithTenant(context.Background(), "another"), func(context.Context) { ran.Add(1) })
					case 4:
						_ = p.Resize(1 + i%5)
						fallthrough
					default:
						err = p.Go(context.Background(), func(context.Context) { ran.Add(1) })
					}
					switch {
					case err == nil:
					case refusal.Refused(err):
						refused.Add(1)
					default:
						broken.Add(1)
					}
				}
			})
		}
		<-half
		ctx, cancel := context.WithCancel(context.Background())
		if rapid.Bool().Draw(rt, "at once") {
			cancel()
		}
		var dropped int64
		if err := p.Close(ctx); err != nil {
			unfinished, _ := errors.AsType[*pool.CloseError](err)
			dropped = int64(unfinished.Dropped)
		}
		cancel()
		wg.Wait()
		if err := p.Close(context.Background()); err != nil {
			rt.Fatal(err)
		}
		s := p.Stats()
		if broken.Load() != 0 || ran.Load()+refused.Load()+dropped != came.Load() {
			rt.Fatalf("came %d, ran %d, refused %d, dropped %d, broken %d", came.Load(), ran.Load(), refused.Load(), dropped, broken.Load())
		}
		if ended(s) != came.Load() || s.OK+s.Panics+s.Goexits != ran.Load() || s.Rejected != refused.Load() || s.Dropped != dropped {
			rt.Fatalf("stats %+v, came %d, ran %d, refused %d, dropped %d", s, came.Load(), ran.Load(), refused.Load(), dropped)
		}
		if s.Workers != 0 || s.Running != 0 || s.Queued != 0 {
			rt.Fatalf("stats %+v", s)
		}
	})
}

func TestCloseCountsAsRunningNoneThatWaitForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1, Queue: 1})
		release := occupy(t, p, 1)
		_ = p.Go(t.Context(), nothing)
		for range 20 {
			go func() { _ = p.Go(t.Context(), nothing) }()
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		unfinished, ok := errors.AsType[*pool.CloseError](p.Close(ctx))
		if !ok || unfinished.Running != 1 || unfinished.Dropped != 1 {
			t.Errorf("got %+v", unfinished)
		}
		release()
	})
}
