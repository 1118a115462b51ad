package cache_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/cache"
)

func TestNewReportsEveryFaultAtOnce(t *testing.T) {
	c, err := cache.New(cache.Options[int, int]{Name: "a\nb", Jitter: 1.5})
	if c != nil || err == nil {
		t.Fatalf("New = %v, %v", c, err)
	}
	for _, want := range []string{
		`joist/cache: Options.Name is "a\nb", but must be`,
		"joist/cache: Options.Load is not set, but it is required",
		"joist/cache: Options.TTL is not set, but it is required",
		"joist/cache: Options.Jitter is 1.5, but must be 0 to 1 (Off is -1)",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error\n%v\ndoes not say\n%s", err, want)
		}
	}
}

func TestNewRefusesAJitterThatIsNoNumber(t *testing.T) {
	load := func(context.Context, int) (int, error) { return 0, nil }
	if _, err := cache.New(cache.Options[int, int]{Load: load, TTL: time.Second, Jitter: math.NaN()}); err == nil {
		t.Fatal("New took a NaN")
	}
}

func TestEveryLimitMayBeSwitchedOff(t *testing.T) {
	load := func(context.Context, int) (int, error) { return 1, nil }
	c := newCache(t, cache.Options[int, int]{
		Load: load, TTL: cache.Unlimited, StaleWhileRevalidate: cache.Unlimited, StaleIfError: cache.Unlimited,
		NotFoundTTL: cache.Off, ErrorBackoff: cache.Off, LoadTimeout: cache.Unlimited, Jitter: cache.Off,
		RefreshConcurrency: cache.Unlimited, MaxEntries: cache.Unlimited,
	})
	if v, err := c.Get(t.Context(), 1); v != 1 || err != nil {
		t.Fatalf("Get = %d, %v", v, err)
	}
}
