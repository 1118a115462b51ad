package cache_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/cache"
)

func TestSetMakesAFreshValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := newCache(t, s.options())
		if err := c.Set(t.Context(), "a", "set"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - 1)
		wantGet(t, c, "a", "set")
		s.wantLoads(t, 0)
		time.Sleep(1)
		wantGet(t, c, "a", "a0")
	})
}

func TestDeleteDropsWhatTheCacheKnowsOfTheKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.StaleIfError, o.ErrorBackoff = time.Hour, time.Hour
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		wantGet(t, c, "b", "b0")
		s.gone.Store(true)
		wantErr(t, c, "absent", cache.ErrNotFound)
		s.fails.Store(true)
		wantErr(t, c, "failed", errDown)
		if err := c.Delete(t.Context(), "a", "absent", "failed", "never seen"); err != nil {
			t.Fatal(err)
		}
		if err := wantErr(t, c, "a", errDown); errors.Is(err, cache.ErrBackoff) {
			t.Fatalf("a was not loaded: %v", err)
		}
		s.fails.Store(false)
		s.gone.Store(false)
		wantGet(t, c, "absent", "absent0")
		wantGet(t, c, "failed", "failed0")
		wantGet(t, c, "b", "b0")
		if got := c.Stats().Invalidations; got != 4 {
			t.Fatalf("%d invalidations, want 4", got)
		}
	})
}

// step is a load that tells when it has begun and waits to be told what to return.
type step struct {
	begun  chan struct{}
	answer chan string
}

func newStep() step { return step{make(chan struct{}), make(chan string)} }

func (s step) load(context.Context, string) (string, error) {
	close(s.begun)
	return <-s.answer, nil
}

func TestALoadThatBeganBeforeAWriteIsNeitherKeptNorJoined(t *testing.T) {
	writes := map[string]struct {
		write func(context.Context, *cache.Cache[string, string]) error
		then  string
	}{
		"Set": {func(ctx context.Context, c *cache.Cache[string, string]) error { return c.Set(ctx, "a", "set") }, "set"},
		"Delete": {func(ctx context.Context, c *cache.Cache[string, string]) error { return c.Delete(ctx, "a") },
			"a0"},
	}
	for name, w := range writes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s source
				c := newCache(t, s.options())
				old := newStep()
				var wg sync.WaitGroup
				wg.Go(func() {
					if got, err := c.GetWith(t.Context(), "a", old.load); got != "old" || err != nil {
						t.Errorf("the earlier waiter got %q, %v", got, err)
					}
				})
				<-old.begun
				if err := w.write(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				wantGet(t, c, "a", w.then) // while the old load is in flight
				old.answer <- "old"
				wg.Wait()
				wantGet(t, c, "a", w.then) // and after it
			})
		})
	}
}

func TestAWriteSupersedesRefreshesAndTheirFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: time.Second}
		o := s.options()
		o.StaleWhileRevalidate, o.ErrorBackoff = time.Hour, time.Hour
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		time.Sleep(time.Minute)
		s.fails.Store(true)
		wantGet(t, c, "a", "a0") // refreshed behind, in vain
		synctest.Wait()
		if err := c.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		s.fails.Store(false)
		wantGet(t, c, "a", "a0") // not backing off
		s.wantLoads(t, 3)
	})
}

func TestAWriteOfOneKeyDoesNotDiscardTheLoadOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := newCache(t, s.options())
		slow := newStep()
		var wg sync.WaitGroup
		wg.Go(func() {
			if got, err := c.GetWith(t.Context(), "a", slow.load); got != "slow" || err != nil {
				t.Errorf("Get = %q, %v", got, err)
			}
		})
		<-slow.begun
		for i := range 10_000 { // as many as would meet a's in any table of shared generations
			if err := c.Delete(t.Context(), strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
		}
		slow.answer <- "slow"
		wg.Wait()
		wantGet(t, c, "a", "slow")
	})
}

func TestALoadBeforeADeleteDoesNotReplaceTheResultOfOneAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.LoadTimeout = cache.Unlimited
		c := newCache(t, o)
		first, second := newStep(), newStep()
		var wg sync.WaitGroup
		get := func(s step, want string) {
			wg.Go(func() {
				if got, err := c.GetWith(t.Context(), "a", s.load); got != want || err != nil {
					t.Errorf("Get = %q, %v; want %q", got, err, want)
				}
			})
			<-s.begun
		}
		get(first, "1")
		if err := c.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		get(second, "2")
		second.answer <- "2"
		synctest.Wait()
		first.answer <- "1"
		wg.Wait()
		wantGet(t, c, "a", "2")
	})
}

func TestAStaleValueThatWasDeletedDuringItsLoadIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: time.Second}
		o := s.options()
		o.StaleIfError = time.Hour
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		time.Sleep(time.Minute)
		s.fails.Store(true)
		var wg sync.WaitGroup
		wg.Go(func() { wantErr(t, c, "a", errDown) })
		synctest.Wait()
		if err := c.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	})
}

func TestAValueSetDuringAFailingLoadIsServedToItsWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: time.Second}
		s.fails.Store(true)
		c := newCache(t, s.options())
		var wg sync.WaitGroup
		wg.Go(func() { wantGet(t, c, "a", "set") })
		synctest.Wait()
		if err := c.Set(t.Context(), "a", "set"); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	})
}
