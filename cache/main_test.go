package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/joist-go/joist/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("source is down")

// source is what the caches of these tests load from: an answer that tests change, and a count of the loads.
type source struct {
	loads atomic.Int64
	fails atomic.Bool
	gone  atomic.Bool
	value atomic.Int64
	takes time.Duration
}

func (s *source) load(ctx context.Context, key string) (string, error) {
	s.loads.Add(1)
	if s.takes > 0 {
		select {
		case <-time.After(s.takes):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	switch {
	case s.fails.Load():
		return "", errDown
	case s.gone.Load():
		return "", fmt.Errorf("no row: %w", cache.ErrNotFound)
	}
	return fmt.Sprintf("%s%d", key, s.value.Load()), nil
}

// options are what most tests start from: nothing random, nothing stale, nothing to wait for.
func (s *source) options() cache.Options[string, string] {
	return cache.Options[string, string]{
		Load:         s.load,
		TTL:          time.Minute,
		ErrorBackoff: cache.Off,
		Jitter:       cache.Off,
		Logger:       slog.New(slog.DiscardHandler),
	}
}

func newCache[K comparable, V any](t testing.TB, o cache.Options[K, V]) *cache.Cache[K, V] {
	t.Helper()
	c, err := cache.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return c
}

func wantGet(t *testing.T, c *cache.Cache[string, string], key, want string) {
	t.Helper()
	if got, err := c.Get(t.Context(), key); err != nil || got != want {
		t.Fatalf("Get(%q) = %q, %v; want %q", key, got, err, want)
	}
}

func wantErr(t *testing.T, c *cache.Cache[string, string], key string, want error) error {
	t.Helper()
	got, err := c.Get(t.Context(), key)
	if !errors.Is(err, want) || got != "" {
		t.Fatalf("Get(%q) = %q, %v; want the error %v", key, got, err, want)
	}
	return err
}

func (s *source) wantLoads(t *testing.T, want int64) {
	t.Helper()
	if got := s.loads.Load(); got != want {
		t.Fatalf("%d loads, want %d", got, want)
	}
}

func wantStats(t *testing.T, c *cache.Cache[string, string], want cache.Stats) {
	t.Helper()
	got := c.Stats()
	got.Expired = want.Expired // when the sweeper comes by is tested where it matters
	if got != want {
		t.Fatalf("stats are\n%+v, want\n%+v", got, want)
	}
}
