package cache_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/cache"
)

// The clock is not read on every hit, which must not show: whatever was read when, a value is fresh until its TTL, to
// the nanosecond.
func TestAValueIsFreshExactlyUntilItsTTLHoweverItIsRead(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		ttl := time.Duration(rapid.Int64Range(1, int64(10*time.Second)).Draw(r, "ttl"))
		steps := rapid.SliceOfN(rapid.Int64Range(0, int64(1500*time.Millisecond)), 1, 40).Draw(r, "steps")
		synctest.Test(t, func(t *testing.T) {
			var s source
			o := s.options()
			o.TTL = ttl
			c := newCache(t, o)
			cache.KeepHorizon(c)
			var loadedAt time.Time
			loads := int64(0)
			for _, step := range steps {
				time.Sleep(time.Duration(step))
				if err := c.Set(t.Context(), "long", "lived"); err != nil {
					t.Fatal(err)
				}
				wantGet(t, c, "long", "lived")
				if age := time.Since(loadedAt); loads == 0 || age >= ttl {
					loads++
					loadedAt = time.Now()
				}
				wantGet(t, c, "a", "a0")
				s.wantLoads(t, loads)
			}
			// And at the very edge.
			time.Sleep(time.Until(loadedAt.Add(ttl - 1)))
			if time.Since(loadedAt) == ttl-1 {
				wantGet(t, c, "a", "a0")
				s.wantLoads(t, loads)
				time.Sleep(1)
				wantGet(t, c, "a", "a0")
				s.wantLoads(t, loads+1)
			}
		})
	})
}
