package cache_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/cache"
)

func TestCloseWaitsForLoadsInFlightAndRefusesNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: 5 * time.Second}
		o := s.options()
		o.StaleWhileRevalidate = time.Hour
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		s.value.Store(1)
		time.Sleep(time.Minute)
		wantGet(t, c, "a", "a0") // refreshed behind
		began := time.Now()
		for range 2 {
			if err := c.Close(t.Context()); err != nil || time.Since(began) != 5*time.Second {
				t.Fatalf("Close = %v after %v", err, time.Since(began))
			}
		}
		wantGet(t, c, "a", "a1") // what is held still answers
		time.Sleep(time.Minute)
		wantGet(t, c, "a", "a1") // also stale
		err := wantErr(t, c, "b", cache.ErrClosed)
		if closed, ok := errors.AsType[*cache.ClosedError](err); !ok || !closed.Refused() || closed.Name != "default" {
			t.Fatalf("Get after Close = %#v", err)
		}
		for name, err := range map[string]error{
			"Set":     c.Set(t.Context(), "b", "b"),
			"Delete":  c.Delete(t.Context(), "a"),
			"Refresh": c.Refresh(t.Context(), "a"),
		} {
			if !errors.Is(err, cache.ErrClosed) {
				t.Errorf("%s after Close = %v", name, err)
			}
		}
		wantGet(t, c, "a", "a1")
		s.wantLoads(t, 2)
	})
}

func TestCloseCancelsLoadsWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: time.Hour}
		o := s.options()
		o.LoadTimeout = cache.Unlimited
		c := newCache(t, o)
		got := make(chan error, 1)
		go func() {
			_, err := c.Get(t.Context(), "a")
			got <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Close = %v", err)
		}
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Fatalf("the waiter got %v", err)
		}
	})
}

func TestACacheMayBeUsedInOneTestBubbleAfterTheOtherAndOutside(t *testing.T) {
	var s source
	outside := newCache(t, s.options())
	var inside *cache.Cache[string, string] // as an application makes it when it is first asked for
	synctest.Test(t, func(*testing.T) {
		var err error
		if inside, err = cache.New(s.options()); err != nil {
			t.Fatal(err)
		}
	})
	for _, c := range []*cache.Cache[string, string]{outside, inside} {
		for round := range 3 {
			synctest.Test(t, func(t *testing.T) {
				if err := c.Set(t.Context(), "a", "set"); err != nil {
					t.Fatal(err)
				}
				wantGet(t, c, "a", "set")
				if round == 0 {
					return // and the timers that are set are lost with the bubble
				}
				time.Sleep(time.Minute - 1)
				wantGet(t, c, "a", "set")
				time.Sleep(1)
				wantGet(t, c, "a", "a0")
			})
		}
		wantGet(t, c, "b", "b0")
	}
}

func TestACacheThatIsNotClosedLeavesNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if one is left
		var s source
		c, err := cache.New(s.options())
		if err != nil {
			t.Fatal(err)
		}
		wantGet(t, c, "a", "a0")
		if err := c.Set(t.Context(), "b", "b"); err != nil {
			t.Fatal(err)
		}
	})
}
