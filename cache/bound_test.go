package cache_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/cache"
)

// settled waits until the engine's maintenance, which runs behind, has brought the entries within their bound.
func settled(t *testing.T, c *cache.Cache[string, string], bound int64) cache.Stats {
	t.Helper()
	for began := time.Now(); time.Since(began) < 10*time.Second; runtime.Gosched() {
		if stats := c.Stats(); stats.Entries <= bound {
			return stats
		}
		_, _ = c.Get(t.Context(), "0")
	}
	t.Fatalf("%d entries, bound %d", c.Stats().Entries, bound)
	return cache.Stats{}
}

func TestMaxEntriesBoundsValuesNotFoundAnswersAndFailedKeys(t *testing.T) {
	const bound, flood = 100, 5000
	for name, set := range map[string]func(s *source){
		"values":    func(*source) {},
		"not found": func(s *source) { s.gone.Store(true) },
		"failed":    func(s *source) { s.fails.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			var s source
			set(&s)
			o := s.options()
			o.MaxEntries, o.NotFoundTTL, o.ErrorBackoff = bound, time.Minute, time.Minute
			c := newCache(t, o)
			for i := range flood {
				_, _ = c.Get(t.Context(), strconv.Itoa(i))
			}
			stats := settled(t, c, bound)
			if stats.Evicted < flood-bound {
				t.Fatalf("%d evicted of %d", stats.Evicted, flood)
			}
		})
	}
}

func TestAKeyThatDoesNotEqualItselfIsNotKept(t *testing.T) {
	loads := 0
	c := newCache(t, cache.Options[float64, int]{
		TTL: time.Hour, MaxEntries: 100,
		Load: func(context.Context, float64) (int, error) { loads++; return loads, nil },
	})
	for i := range 1000 {
		if err := c.Set(t.Context(), math.NaN(), -1); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Get(t.Context(), math.NaN()); got != i+1 || err != nil {
			t.Fatalf("Get = %d, %v; want a load of its own", got, err)
		}
	}
	if got := c.Stats().Entries; got != 0 {
		t.Errorf("%d entries that can neither be found nor evicted", got)
	}
}

func TestWithoutABoundNothingIsEvicted(t *testing.T) {
	var s source
	o := s.options()
	o.MaxEntries = cache.Unlimited
	c := newCache(t, o)
	for i := range 3 * cache.DefaultMaxEntries {
		if err := c.Set(t.Context(), strconv.Itoa(i), ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.Stats(); got.Entries != 3*cache.DefaultMaxEntries || got.Evicted != 0 {
		t.Fatalf("stats are %+v", got)
	}
}

func TestEntriesPastTheirLastUsableMomentAreSweptOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.StaleWhileRevalidate, o.StaleIfError = time.Minute, 3*time.Minute
		o.NotFoundTTL, o.ErrorBackoff = 5*time.Second, time.Minute
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		s.gone.Store(true)
		wantErr(t, c, "absent", cache.ErrNotFound)
		s.fails.Store(true)
		wantErr(t, c, "failed", errDown)
		time.Sleep(4*time.Minute - 1)
		synctest.Wait()
		if got := c.Stats(); got.Entries != 1 || got.Expired != 2 {
			t.Fatalf("before the value's end: %+v", got)
		}
		time.Sleep(2*time.Minute + 1)
		synctest.Wait()
		if got := c.Stats(); got.Entries != 0 || got.Expired != 3 {
			t.Fatalf("after it: %+v", got)
		}
		// The sweeper has stopped, and starts again.
		time.Sleep(365 * 24 * time.Hour)
		if err := c.Set(t.Context(), "b", "b"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Minute)
		synctest.Wait()
		if got := c.Stats(); got.Entries != 0 || got.Expired != 4 {
			t.Fatalf("a year later: %+v", got)
		}
	})
}

func TestEntriesThatNeverDieNeedNoSweeping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.StaleIfError = cache.Unlimited
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		time.Sleep(250 * 365 * 24 * time.Hour) // instant only if nothing wakes up in between
		if got := c.Stats(); got.Entries != 1 || got.Expired != 0 {
			t.Fatalf("stats are %+v", got)
		}
	})
}

func TestRefreshConcurrencyBoundsTheRefreshesThatRunAtOnce(t *testing.T) {
	for _, tt := range []struct{ limit, want int }{{3, 3}, {cache.Unlimited, 10}} {
		t.Run(strconv.Itoa(tt.limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var running atomic.Int64
				var most int64
				c := newCache(t, cache.Options[int, int]{
					TTL: time.Minute, StaleWhileRevalidate: time.Hour, Jitter: cache.Off, RefreshConcurrency: tt.limit,
					Load: func(_ context.Context, key int) (int, error) {
						most = max(most, running.Add(1))
						time.Sleep(time.Second)
						running.Add(-1)
						return key, nil
					},
				})
				for i := range 10 {
					if err := c.Set(t.Context(), i, i); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute)
				for loads := int64(0); loads < 10; loads = c.Stats().Loads { // later Gets refresh what the bound left
					for i := range 10 {
						if v, err := c.Get(t.Context(), i); v != i || err != nil {
							t.Fatalf("Get(%d) = %d, %v", i, v, err)
						}
						synctest.Wait()
					}
					time.Sleep(time.Second)
					synctest.Wait()
				}
				if most != int64(tt.want) {
					t.Fatalf("%d refreshes at once, want %d", most, tt.want)
				}
			})
		})
	}
}

func TestARefreshThatHangsGivesItsPlaceBackAtTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.StaleWhileRevalidate, o.RefreshConcurrency, o.LoadTimeout = time.Hour, 1, time.Second
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		wantGet(t, c, "b", "b0")
		time.Sleep(time.Minute)
		hang, release := hanging(t)
		if got, err := c.GetWith(t.Context(), "a", hang); got != "a0" || err != nil {
			t.Fatalf("Get = %q, %v", got, err)
		}
		s.value.Store(1)
		time.Sleep(time.Second)
		synctest.Wait()
		wantGet(t, c, "b", "b0")
		synctest.Wait()
		wantGet(t, c, "b", "b1")
		release()
	})
}

func TestADroppedCacheIsCollectedThoughItsTimersAreSet(t *testing.T) {
	collected := make(chan struct{})
	func() {
		var s source
		c, err := cache.New(s.options())
		if err != nil {
			t.Fatal(err)
		}
		runtime.AddCleanup(c, func(done chan struct{}) { close(done) }, collected)
		wantGet(t, c, "a", "a0") // sets the sweeper's timer
		wantGet(t, c, "a", "a0") // and the horizon's
	}()
	deadline := time.After(10 * time.Second)
	for {
		runtime.GC()
		select {
		case <-collected:
			return
		case <-deadline:
			t.Fatal("the cache was not collected")
		default:
			runtime.Gosched()
		}
	}
}

func TestStatsMayBeReadWhileTheCacheIsInUse(t *testing.T) {
	var s source
	c := newCache(t, s.options())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				wantGet(t, c, strconv.Itoa(i%50), fmt.Sprintf("%d0", i%50))
				_ = c.Stats()
			}
		})
	}
	wg.Wait()
	if got := c.Stats(); got.Hits+got.Misses != 2000 || got.Entries != 50 {
		t.Fatalf("stats are %+v", got)
	}
}
