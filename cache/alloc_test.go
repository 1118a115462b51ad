//go:build !race

package cache_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/cache"
)

func TestAHitAllocatesNothing(t *testing.T) {
	c := filled(t)
	gets := map[string]func() error{
		"Get":      func() error { _, err := c.Get(t.Context(), 7); return err },
		"GetEntry": func() error { _, err := c.GetEntry(t.Context(), 7); return err },
		"GetWith":  func() error { _, err := c.GetWith(t.Context(), 7, echo); return err },
	}
	for name, get := range gets {
		if err := get(); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(1000, func() { _ = get() }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func TestAStaleAnswerDuringItsRefreshAllocatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := source{takes: time.Second}
		o := s.options()
		o.StaleWhileRevalidate = time.Hour
		c := newCache(t, o)
		wantGet(t, c, "a", "a0")
		time.Sleep(time.Minute)
		wantGet(t, c, "a", "a0")
		synctest.Wait() // the refresh has begun
		ctx := t.Context()
		if n := testing.AllocsPerRun(1000, func() { _, _ = c.Get(ctx, "a") }); n != 0 {
			t.Errorf("a stale answer allocates %v times", n)
		}
		s.wantLoads(t, 2)
	})
}

func TestAKeptNotFoundAllocatesNothing(t *testing.T) {
	var s source
	s.gone.Store(true)
	c := newCache(t, s.options())
	wantErr(t, c, "a", cache.ErrNotFound)
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { _, _ = c.Get(ctx, "a") }); n != 0 {
		t.Errorf("a kept not-found answer allocates %v times", n)
	}
	s.wantLoads(t, 1)
}
