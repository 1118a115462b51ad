package cache_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/cache"
)

func TestAFreshValueIsServedFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		c := newCache(t, s.options())
		wantGet(t, c, "a", "a0")
		s.value.Store(1)
		time.Sleep(time.Minute - 1)
		wantGet(t, c, "a", "a0")
		s.wantLoads(t, 1)
		time.Sleep(1)
		wantGet(t, c, "a", "a1")
		s.wantLoads(t, 2)
		wantStats(t, c, cache.Stats{Hits: 1, Misses: 2, Loads: 2, Entries: 1})
	})
}

func TestFreshnessCountsFromTheStartOfTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: 5 * time.Second}
		c := newCache(t, s.options())
		e, err := c.GetEntry(t.Context(), "a")
		want := cache.Entry[string]{Value: "a0", Age: 5 * time.Second, FreshFor: 55 * time.Second, Source: cache.SourceLoad}
		if err != nil || e != want {
			t.Fatalf("GetEntry = %+v, %v; want %+v", e, err, want)
		}
		time.Sleep(55*time.Second - 1)
		wantGet(t, c, "a", "a0")
		s.wantLoads(t, 1)
		time.Sleep(1)
		wantGet(t, c, "a", "a0")
		s.wantLoads(t, 2)
	})
}

func TestAStaleValueIsServedAtOnceAndRefreshedBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: 5 * time.Second}
		o := s.options()
		o.StaleWhileRevalidate = time.Minute
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		s.value.Store(1)
		time.Sleep(70 * time.Second) // 75 s after the load began
		began := time.Now()
		for range 3 {
			e, err := c.GetEntry(t.Context(), "a")
			want := cache.Entry[string]{
				Value: "a0", Age: 75 * time.Second, FreshFor: -15 * time.Second, Stale: true, Source: cache.SourceLocal,
			}
			if err != nil || e != want {
				t.Fatalf("GetEntry = %+v, %v; want %+v", e, err, want)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Fatalf("stale answers took %v", took)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		e, err := c.GetEntry(t.Context(), "a")
		want := cache.Entry[string]{Value: "a1", Age: 5 * time.Second, FreshFor: 55 * time.Second, Source: cache.SourceLocal}
		if err != nil || e != want {
			t.Fatalf("GetEntry after the refresh = %+v, %v; want %+v", e, err, want)
		}
		s.wantLoads(t, 2)
		wantStats(t, c, cache.Stats{Hits: 1, Stale: 3, Misses: 1, Loads: 2, Entries: 1})
	})
}

func TestAStaleValueIsServedWhenItsLoadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.StaleIfError = time.Hour
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		s.fails.Store(true)
		time.Sleep(61*time.Minute - 1)
		e, err := c.GetEntry(t.Context(), "a")
		if err != nil || e.Value != "a0" || !e.Stale || e.Age != 61*time.Minute-1 || e.Source != cache.SourceLocal {
			t.Fatalf("GetEntry = %+v, %v; want the stale value", e, err)
		}
		time.Sleep(1)
		wantErr(t, c, "a", errDown)
		s.wantLoads(t, 3)
		s.fails.Store(false)
		wantGet(t, c, "a", "a0")
	})
}

func TestBothStaleWindowsBeginAtTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.StaleWhileRevalidate, o.StaleIfError = time.Minute, 2*time.Minute
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		s.fails.Store(true)
		time.Sleep(2 * time.Minute) // the first window is over: this one waits for its load
		wantGet(t, c, "a", "a0")
		wantStats(t, c, cache.Stats{Stale: 1, Misses: 1, Loads: 2, LoadFailures: 1, Entries: 1})
		time.Sleep(time.Minute)
		wantErr(t, c, "a", errDown)
	})
}

func TestAnUnlimitedTTLStaysFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.TTL = cache.Unlimited
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		time.Sleep(50 * 365 * 24 * time.Hour)
		e, err := c.GetEntry(t.Context(), "a")
		if err != nil || e.Stale || e.FreshFor != 1<<63-1 || e.Source != cache.SourceLocal {
			t.Fatalf("GetEntry after 50 years = %+v, %v", e, err)
		}
		s.wantLoads(t, 1)
	})
}

func TestUnlimitedStaleWindowsDoNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.StaleIfError = cache.Unlimited
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		s.fails.Store(true)
		time.Sleep(365 * 24 * time.Hour)
		wantGet(t, c, "a", "a0")
	})
}

func TestNotFoundIsKeptForItsTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		s.gone.Store(true)
		o := s.options()
		o.NotFoundTTL = 5 * time.Second
		o.StaleWhileRevalidate, o.StaleIfError = time.Hour, time.Hour
		c := newCache(t, o)
		for range 3 {
			if err := wantErr(t, c, "a", cache.ErrNotFound); err.Error() != "no row: joist/cache: not found" {
				t.Fatalf("the load's own error is lost: %v", err)
			}
		}
		s.wantLoads(t, 1)
		wantStats(t, c, cache.Stats{Negative: 3, Loads: 1, Entries: 1})
		s.gone.Store(false)
		time.Sleep(5 * time.Second) // it is not served stale
		wantGet(t, c, "a", "a0")
		s.wantLoads(t, 2)
	})
}

func TestNotFoundIsNotKeptWhenSwitchedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		s.gone.Store(true)
		o := s.options()
		o.NotFoundTTL = cache.Off
		c := newCache(t, o)
		wantErr(t, c, "a", cache.ErrNotFound)
		wantErr(t, c, "a", cache.ErrNotFound)
		s.wantLoads(t, 2)
		wantStats(t, c, cache.Stats{Negative: 2, Loads: 2})
	})
}

func TestAValueThatTheSourceLostIsDroppedAtOnce(t *testing.T) {
	for name, notFoundTTL := range map[string]time.Duration{"kept": time.Second, "not kept": cache.Off} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s source
				o := s.options()
				o.StaleIfError, o.NotFoundTTL = time.Hour, notFoundTTL
				c := newCache(t, o)
				wantGet(t, c, "a", "a0")
				s.gone.Store(true)
				time.Sleep(time.Minute)
				wantErr(t, c, "a", cache.ErrNotFound)
				s.fails.Store(true)
				time.Sleep(time.Second)
				wantErr(t, c, "a", errDown) // and not the old value
			})
		})
	}
}

func TestAZeroValueANilPointerAndNotFoundAreThreeThings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loads := 0
		zero := 0
		c := newCache(t, cache.Options[string, *int]{
			TTL: time.Minute,
			Load: func(_ context.Context, key string) (*int, error) {
				loads++
				switch key {
				case "zero":
					return &zero, nil
				case "nil":
					return nil, nil //nolint:nilnil // a nil pointer is a value
				default:
					return nil, cache.ErrNotFound
				}
			},
		})
		for range 2 {
			if v, err := c.Get(t.Context(), "zero"); v != &zero || err != nil {
				t.Fatalf("Get(zero) = %v, %v", v, err)
			}
			if v, err := c.Get(t.Context(), "nil"); v != nil || err != nil {
				t.Fatalf("Get(nil) = %v, %v", v, err)
			}
			if v, err := c.Get(t.Context(), "absent"); v != nil || !errors.Is(err, cache.ErrNotFound) {
				t.Fatalf("Get(absent) = %v, %v", v, err)
			}
		}
		if loads != 3 {
			t.Fatalf("%d loads, want 3", loads)
		}
	})
}

func TestJitterShortensTheTTLByAtMostItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s source
		o := s.options()
		o.Jitter = 0.25
		c := newCache(t, o)
		seen := map[time.Duration]bool{}
		for i := range 200 {
			e, err := c.GetEntry(t.Context(), string(rune('a'+i)))
			if err != nil || e.FreshFor > time.Minute || e.FreshFor < 45*time.Second {
				t.Fatalf("GetEntry = %+v, %v; want fresh for 45 s to 60 s", e, err)
			}
			seen[e.FreshFor] = true
		}
		if len(seen) < 100 {
			t.Fatalf("%d different lives among 200 entries", len(seen))
		}
	})
}
