package cache_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/cache"
)

// A Get looks into the cache and then joins or begins a load. In between, the load that it would have joined may land.
// Loads that take no time, begun by many at once, meet that moment often.
func TestAKeyIsLoadedOnceThoughALoadLandsBetweenTheLookAndTheNextLoad(t *testing.T) {
	const keys, callers = 3000, 16
	for name, load := range map[string]func() (int, error){
		"value":     func() (int, error) { return 1, nil },
		"not found": func() (int, error) { return 0, cache.ErrNotFound },
		"failed":    func() (int, error) { return 0, errDown },
	} {
		t.Run(name, func(t *testing.T) {
			var loads atomic.Int64
			c := newCache(t, cache.Options[int, int]{
				TTL: time.Hour, NotFoundTTL: time.Hour, ErrorBackoff: time.Hour, Logger: slog.New(slog.DiscardHandler),
				Load: func(context.Context, int) (int, error) {
					loads.Add(1)
					return load()
				},
			})
			want, failure := load()
			for key := range keys {
				begin := make(chan struct{})
				var wg sync.WaitGroup
				for range callers {
					wg.Go(func() {
						<-begin
						if got, err := c.Get(t.Context(), key); got != want || (err == nil) != (failure == nil) {
							t.Errorf("Get = %d, %v; want %d, %v", got, err, want, failure)
						}
					})
				}
				close(begin)
				wg.Wait()
			}
			if got := loads.Load(); got != keys {
				t.Errorf("%d loads of %d keys", got, keys)
			}
			if s := c.Stats(); s.Hits+s.Misses+s.Negative+s.Errors != keys*callers {
				t.Errorf("%d Gets counted as %+v", keys*callers, s)
			}
		})
	}
}

// The flight of a load ends at LoadTimeout, and the load itself is told so at the same time, in either order.
func TestAKeyWhoseLoadTimedOutBacksOffFromThatMomentOn(t *testing.T) {
	const keys, callers = 300, 8
	for _, listens := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var loads atomic.Int64
			release := make(chan struct{})
			c := newCache(t, cache.Options[int, int]{
				TTL: time.Hour, ErrorBackoff: time.Hour, Logger: slog.New(slog.DiscardHandler),
				Load: func(ctx context.Context, _ int) (int, error) {
					loads.Add(1)
					if listens {
						<-ctx.Done()
						return 0, ctx.Err()
					}
					<-release
					return 0, nil
				},
			})
			var wg sync.WaitGroup
			for i := range keys * callers {
				wg.Go(func() {
					for range 2 {
						if _, err := c.Get(t.Context(), i%keys); !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("Get = %v", err)
						}
					}
				})
			}
			wg.Wait()
			close(release)
			if got := loads.Load(); got != keys {
				t.Errorf("%d loads of %d keys, listens: %v", got, keys, listens)
			}
		})
	}
}
