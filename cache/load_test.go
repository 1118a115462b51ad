package cache_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/cache"
	"github.com/joist-go/joist/pool/flight"
)

func TestAThousandGetsOfAColdKeyShareOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: time.Second}
		c := newCache(t, s.options())
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if got, err := c.Get(t.Context(), "a"); err != nil || got != "a0" {
					t.Errorf("Get = %q, %v", got, err)
				}
			})
		}
		wg.Wait()
		s.wantLoads(t, 1)
		wantStats(t, c, cache.Stats{Misses: 1000, Loads: 1, Entries: 1})
	})
}

func TestAThousandGetsOfAStaleKeyCauseOneRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: time.Second}
		o := s.options()
		o.StaleWhileRevalidate = time.Minute
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		time.Sleep(time.Minute)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { wantGet(t, c, "a", "a0") })
		}
		wg.Wait()
		s.wantLoads(t, 2)
	})
}

func TestAWaiterLeavesWithItsContextAndTheLoadGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: 5 * time.Second}
		c := newCache(t, s.options())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := c.Get(ctx, "a")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Fatalf("Get = %v after %v, want the deadline after 1 s", err, time.Since(began))
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		wantGet(t, c, "a", "a0")
		wantStats(t, c, cache.Stats{Hits: 1, Errors: 1, Loads: 1, Entries: 1})
	})
}

func TestTheFirstWaitersCancellationLeavesTheOthersTheirLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: 5 * time.Second}
		c := newCache(t, s.options())
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
				t.Errorf("the first waiter got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { wantGet(t, c, "a", "a0") })
		synctest.Wait()
		cancel()
		wg.Wait()
		s.wantLoads(t, 1)
	})
}

func TestTheLoadHasTheValuesOfItsCallersContextAndAnEndOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		began := time.Now()
		c := newCache(t, cache.Options[int, string]{
			TTL:         time.Minute,
			LoadTimeout: 7 * time.Second,
			Load: func(ctx context.Context, _ int) (string, error) {
				if end, ok := ctx.Deadline(); !ok || end.Sub(began) != 7*time.Second {
					t.Errorf("the load's deadline is %v, %v", end, ok)
				}
				v, _ := ctx.Value(key{}).(string)
				return v, nil
			},
		})
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "traced"), time.Second)
		defer cancel()
		if got, err := c.Get(ctx, 1); got != "traced" || err != nil {
			t.Fatalf("Get = %q, %v", got, err)
		}
	})
}

// hanging returns a load that ignores its context until the test lets it go.
func hanging(t *testing.T) (load func(context.Context, string) (string, error), release func()) {
	t.Helper()
	gate := make(chan struct{})
	return func(context.Context, string) (string, error) {
		<-gate
		return "late", nil
	}, sync.OnceFunc(func() { close(gate) })
}

func TestALoadThatHangsFreesItsKeyAndWhatItStillReturnsIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.LoadTimeout = 3 * time.Second
		o.ErrorBackoff = time.Second
		c := newCache(t, o)
		hang, release := hanging(t)
		began := time.Now()
		_, err := c.GetWith(t.Context(), "a", hang)
		timeout, ok := errors.AsType[*flight.TimeoutError](err)
		if !ok || timeout.After != 3*time.Second || time.Since(began) != 3*time.Second {
			t.Fatalf("Get = %v after %v, want a time-out of 3 s", err, time.Since(began))
		}
		synctest.Wait()
		if err := wantErr(t, c, "a", cache.ErrBackoff); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the back-off does not tell of the time-out: %v", err)
		}
		time.Sleep(time.Second)
		wantGet(t, c, "a", "a0")
		release()
		synctest.Wait()
		wantGet(t, c, "a", "a0")
	})
}

func TestALoadThatObeysItsDeadlineHasTimedOutAsOneThatHangs(t *testing.T) {
	own := errors.New("connection cut")
	for what, end := range map[string]func(context.Context) error{
		"with the context's error": context.Context.Err,
		"with an error of its own": func(context.Context) error { return own },
	} {
		t.Run(what, func(t *testing.T) {
			for range 100 { // the load and the timer end at one moment, and either may come first
				synctest.Test(t, func(t *testing.T) {
					var s source
					o := s.options()
					o.LoadTimeout = 3 * time.Second
					c := newCache(t, o)
					_, err := c.GetWith(t.Context(), "a", func(ctx context.Context, _ string) (string, error) {
						<-ctx.Done()
						return "", end(ctx)
					})
					if timeout, ok := errors.AsType[*flight.TimeoutError](err); !ok || timeout.After != 3*time.Second {
						t.Fatalf("Get = %v (a %T), want a time-out of 3 s", err, err)
					}
				})
			}
		})
	}
}

func TestAStaleValueIsServedWhenItsLoadHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.LoadTimeout, o.StaleIfError = 3*time.Second, time.Hour
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		time.Sleep(time.Minute)
		hang, release := hanging(t)
		if got, err := c.GetWith(t.Context(), "a", hang); got != "a0" || err != nil {
			t.Fatalf("Get = %q, %v; want the stale value", got, err)
		}
		release()
	})
}

func TestAPanicOfTheLoadReachesItsCallerWithItsStackAndTheOthersAsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.ErrorBackoff = 16 * time.Second
		c := newCache(t, o)
		fails := func(context.Context, string) (string, error) {
			time.Sleep(time.Second)
			panicsHere()
			return "", nil
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() {
				p, ok := recover().(*flight.PanicError)
				if !ok || p.Value != "no such luck" || !strings.Contains(string(p.Stack), "panicsHere") {
					t.Errorf("the caller recovered %v", p)
				}
			}()
			_, err := c.GetWith(t.Context(), "a", fails)
			t.Errorf("the caller's Get returned %v", err)
		})
		synctest.Wait()
		wg.Go(func() {
			_, err := c.GetWith(t.Context(), "a", fails)
			if _, ok := errors.AsType[*flight.PanicError](err); !ok {
				t.Errorf("the other waiter got %v", err)
			}
		})
		wg.Wait()
		wantErr(t, c, "a", cache.ErrBackoff)
		wantStats(t, c, cache.Stats{Errors: 3, Loads: 1, LoadFailures: 1, Entries: 1})
		time.Sleep(time.Second)
		wantGet(t, c, "a", "a0")
	})
}

func panicsHere() { panic("no such luck") }

func TestAGoexitOfTheLoadIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := newCache(t, s.options())
		_, err := c.GetWith(t.Context(), "a", func(context.Context, string) (string, error) {
			runtime.Goexit()
			return "", nil
		})
		if !errors.Is(err, flight.ErrGoexit) {
			t.Fatalf("Get = %v", err)
		}
		wantGet(t, c, "a", "a0")
	})
}

func TestAPanicOfARefreshLeavesTheStaleValueAndTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.StaleWhileRevalidate, o.ErrorBackoff = time.Hour, 16*time.Second
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		time.Sleep(time.Minute)
		for range 3 {
			got, err := c.GetWith(t.Context(), "a", func(context.Context, string) (string, error) { panic("behind") })
			if got != "a0" || err != nil {
				t.Fatalf("Get = %q, %v", got, err)
			}
			synctest.Wait()
		}
		wantStats(t, c, cache.Stats{Stale: 3, Misses: 1, Loads: 2, LoadFailures: 1, Entries: 1})
	})
}

func TestGetWithTakesItsOwnLoadAndRefusesNone(t *testing.T) {
	var s source
	c := newCache(t, s.options())
	got, err := c.GetWith(t.Context(), "a", func(context.Context, string) (string, error) { return "other", nil })
	if got != "other" || err != nil {
		t.Fatalf("GetWith = %q, %v", got, err)
	}
	wantGet(t, c, "a", "other")
	if _, err := c.GetWith(t.Context(), "b", nil); err == nil {
		t.Fatal("GetWith without a load returned no error")
	}
	s.wantLoads(t, 0)
}

func TestALoadMayUseTheCacheForOtherKeys(t *testing.T) {
	var s source
	c := newCache(t, s.options())
	got, err := c.GetWith(t.Context(), "a", func(ctx context.Context, _ string) (string, error) {
		if err := c.Set(ctx, "c", "set"); err != nil {
			return "", err
		}
		return c.Get(ctx, "b")
	})
	if got != "b0" || err != nil {
		t.Fatalf("GetWith = %q, %v", got, err)
	}
	wantGet(t, c, "c", "set")
}

func TestRefreshLoadsAFreshKeyAndKeepsTheValueWhenThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.ErrorBackoff = time.Second
		c := newCache(t, o)
		if err := c.Refresh(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		s.value.Store(1)
		wantGet(t, c, "a", "a0")
		if err := c.Refresh(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		wantGet(t, c, "a", "a1")
		s.fails.Store(true)
		if err := c.Refresh(t.Context(), "a"); !errors.Is(err, errDown) {
			t.Fatalf("Refresh = %v", err)
		}
		wantGet(t, c, "a", "a1")
		s.fails.Store(false)
		s.gone.Store(true)
		if err := c.Refresh(t.Context(), "a"); !errors.Is(err, cache.ErrNotFound) {
			t.Fatalf("Refresh = %v", err)
		}
		s.fails.Store(true)
		if err := c.Refresh(t.Context(), "a"); !errors.Is(err, errDown) {
			t.Fatalf("Refresh = %v", err)
		}
		wantErr(t, c, "a", cache.ErrNotFound)
		s.wantLoads(t, 5)
	})
}
