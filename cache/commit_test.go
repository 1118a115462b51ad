package cache

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// Two loads of a key without a write in between are rare: a flight that began while a Delete was about to forget the
// flights before it. Either may be kept, but the older never over the newer.
func TestALoadDoesNotReplaceTheResultOfOneThatBeganLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(Options[string, string]{
			TTL:  time.Minute,
			Load: func(context.Context, string) (string, error) { return "", ErrNotFound },
		})
		if err != nil {
			t.Fatal(err)
		}
		older := make(chan string)
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.run(t.Context(), "a", func(context.Context, string) (string, error) { return <-older, nil }, nil)
		}()
		synctest.Wait()
		time.Sleep(1)
		c.run(t.Context(), "a", func(context.Context, string) (string, error) { return "newer", nil }, nil)
		older <- "older"
		<-done
		if got, err := c.Get(t.Context(), "a"); got != "newer" || err != nil {
			t.Fatalf("Get = %q, %v", got, err)
		}
	})
}

// As if the refreshing Get had been held up, between its look into the cache and its refresh, until that of another Get
// had landed.
func TestAStaleValueIsRefreshedOnceThoughItsRefreshLandsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loads := 0
		c, err := New(Options[string, int]{
			TTL: time.Minute, StaleWhileRevalidate: time.Hour, RefreshConcurrency: 1,
			Load: func(context.Context, string) (int, error) { loads++; return loads, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		get := func(want int) {
			t.Helper()
			if got, err := c.Get(t.Context(), "a"); got != want || err != nil {
				t.Fatalf("Get = %d, %v; want %d", got, err, want)
			}
			synctest.Wait()
		}
		get(1)
		time.Sleep(time.Minute)
		old, _ := c.entries.GetIfPresent("a")
		get(1)
		c.refresh(t.Context(), "a", old, c.clock.Now(), c.load)
		synctest.Wait()
		get(2)
		if loads != 2 {
			t.Fatalf("%d loads, want 2", loads)
		}
		time.Sleep(time.Minute)
		get(2) // its refresh finds a free place
		get(3)
	})
}

func TestGenerationsAreKeptOnlyWhileLoadsRun(t *testing.T) {
	var g generations[int, int]
	g.init()
	g.advance(1)
	first, second := g.join(1), g.join(1)
	g.advance(2)
	if !first.current() || !second.current() {
		t.Error("a write of another key moved the generation")
	}
	g.leave(1, first)
	g.advance(1)
	if second.current() {
		t.Error("a write did not move the generation")
	}
	third := g.join(1)
	if !third.current() {
		t.Error("a load that joined after the write is held to be before it")
	}
	g.leave(1, second)
	g.leave(1, third)
	lost := math.NaN()
	var odd generations[float64, int]
	odd.init()
	odd.leave(lost, odd.join(lost))
	for i := range odd.shards {
		if n := len(odd.shards[i].live); n != 0 {
			t.Errorf("%d generations of a key that does not equal itself are left", n)
		}
	}
	for i := range g.shards {
		if n := len(g.shards[i].live); n != 0 {
			t.Errorf("%d generations are left", n)
		}
	}
}
