package contract_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/cache"
	"github.com/joist-go/joist/ratelimit"
)

// flood is the number of distinct keys that a hostile client sends.
const (
	flood = 50_000
	bound = 100
)

func TestAFloodOfKeysStaysWithinTheBoundOfALimiter(t *testing.T) {
	k := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerHour(1)}, MaxKeys: bound,
	}))
	allowed := 0
	for i := range flood {
		if k.Allow(strconv.Itoa(i)) {
			allowed++
		}
	}
	if keys := k.Stats().Keys; keys > bound {
		t.Errorf("%d keys held, want at most %d", keys, bound)
	}
	// Each of the keys that are held was let in once, and all the others together once: a flood frees nobody.
	if allowed > bound+1 {
		t.Errorf("%d of the flood were let in, want at most %d", allowed, bound+1)
	}
}

func TestAFloodOfKeysStaysWithinTheBoundOfABreaker(t *testing.T) {
	k := joist.Must(breaker.NewKeyed(breaker.KeyedOptions[string]{MaxKeys: bound}))
	for i := range flood {
		_ = k.For(strconv.Itoa(i)).Do(context.Background(), outage)
	}
	if s := k.Stats(); s.Closed+s.Open+s.HalfOpen > bound {
		t.Errorf("%d breakers held, want at most %d: %+v", s.Closed+s.Open+s.HalfOpen, bound, s)
	}
}

func TestAFloodOfKeysStaysWithinTheBoundOfACache(t *testing.T) {
	for what, load := range map[string]func(context.Context, string) (int, error){
		"present": func(context.Context, string) (int, error) { return 1, nil },
		"absent":  func(context.Context, string) (int, error) { return 0, cache.ErrNotFound },
		"failing": func(context.Context, string) (int, error) { return 0, errOutage },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := joist.Must(cache.New(cache.Options[string, int]{
					Load: load, TTL: time.Hour, MaxEntries: bound, Logger: quiet,
				}))
				for i := range flood / 10 {
					_, _ = c.Get(context.Background(), strconv.Itoa(i))
				}
				synctest.Wait() // room is made behind
				if entries := c.Stats().Entries; entries > bound {
					t.Errorf("%d entries held, want at most %d", entries, bound)
				}
				if err := c.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
