package main

import (
	"context"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
	"github.com/viccon/sturdyc"

	"github.com/joist-go/joist/cache"
)

var cacheCases = []benchCase{
	{name: "hit", about: "reads a fresh value, of 1024 int64 keys in turn", setup: cacheHit},
	{name: "hit-string", about: "reads a fresh value, of 1024 string keys in turn", setup: cacheHitString},
}

const (
	cacheKeys = 1024 // a power of two; all fit
	cacheSize = 10_000
)

func cacheHit(env *environment) (lineup, error) {
	keys := make([]int64, cacheKeys)
	for i := range keys {
		keys[i] = int64(i) * 7919
	}
	ours, err := ourCache(env, keys)
	if err != nil {
		return lineup{}, err
	}
	return lineup{ours: ours, peers: []contender{otterPeer(env, keys)}, floor: otterFloor(env, keys)}, nil
}

func cacheHitString(env *environment) (lineup, error) {
	keys := make([]string, cacheKeys)
	for i := range keys {
		keys[i] = fmt.Sprintf("user:%d", i*7919)
	}
	ours, err := ourCache(env, keys)
	if err != nil {
		return lineup{}, err
	}
	peers := []contender{otterPeer(env, keys), sturdycPeer(keys)}
	return lineup{ours: ours, peers: peers, floor: otterFloor(env, keys)}, nil
}

func ourCache[K comparable](env *environment, keys []K) (contender, error) {
	c, err := cache.New(cache.Options[K, user]{
		Name:                 "benchmark",
		Load:                 func(_ context.Context, _ K) (user, error) { return user{Name: "loaded"}, nil },
		TTL:                  time.Hour,
		StaleWhileRevalidate: time.Hour,
		StaleIfError:         time.Hour,
		MaxEntries:           cacheSize,
		MeterProvider:        env.sdk.metrics,
		TracerProvider:       env.sdk.traces,
	})
	if err != nil {
		return contender{}, err
	}
	env.cleanup(func() { _ = c.Close(ctx) })
	for _, k := range keys {
		if _, err := c.Get(ctx, k); err != nil {
			return contender{}, err
		}
	}
	return contender{
		name: "joist", settings: "TTL, StaleWhileRevalidate and StaleIfError of an hour",
		loop: func(worker int) func(int) {
			at := firstKey(worker)
			return func(n int) {
				i := at
				for range n {
					_, _ = c.Get(ctx, keys[i%cacheKeys])
					i++
				}
				at = i
			}
		},
	}, nil
}

// firstKey spreads the goroutines over the keys.
func firstKey(worker int) uint { return uint(worker) * 257 }

func otterPeer[K comparable](env *environment, keys []K) contender {
	c := newOtter(env, keys, stats.NewCounter())
	return contender{
		name: "otter", module: "github.com/maypok86/otter/v2",
		settings: "GetIfPresent; ExpiryWriting of an hour, its stats counter, its coarse clock of 10ms",
		loop:     otterLoop(c, keys),
	}
}

// otterFloor is the engine that ours stands on, without statistics: what a hit costs at least.
func otterFloor[K comparable](env *environment, keys []K) *contender {
	return &contender{loop: otterLoop(newOtter(env, keys, nil), keys)}
}

func newOtter[K comparable](env *environment, keys []K, recorder stats.Recorder) *otter.Cache[K, user] {
	clock := otter.NewCoarseClock(10 * time.Millisecond)
	c := otter.Must(&otter.Options[K, user]{
		MaximumSize:      cacheSize,
		ExpiryCalculator: otter.ExpiryWriting[K, user](time.Hour),
		StatsRecorder:    recorder,
		Clock:            clock,
	})
	env.cleanup(func() {
		c.StopAllGoroutines()
		clock.Stop()
	})
	for _, k := range keys {
		c.Set(k, user{Name: "set"})
	}
	return c
}

func otterLoop[K comparable](c *otter.Cache[K, user], keys []K) func(int) func(int) {
	return func(worker int) func(int) {
		at := firstKey(worker)
		return func(n int) {
			i := at
			for range n {
				_, _ = c.GetIfPresent(keys[i%cacheKeys])
				i++
			}
			at = i
		}
	}
}

func sturdycPeer(keys []string) contender {
	c := sturdyc.New[user](cacheSize, 64, time.Hour, 10, sturdyc.WithNoContinuousEvictions())
	fetch := func(context.Context) (user, error) { return user{Name: "fetched"}, nil }
	for _, k := range keys {
		c.Set(k, user{Name: "set"})
	}
	return contender{
		name: "sturdyc", module: "github.com/viccon/sturdyc",
		settings: "GetOrFetch with one fetch function for all calls; 64 shards, TTL of an hour, no early refreshes, no continuous evictions",
		loop: func(worker int) func(int) {
			at := firstKey(worker)
			return func(n int) {
				i := at
				for range n {
					_, _ = c.GetOrFetch(ctx, keys[i%cacheKeys], fetch)
					i++
				}
				at = i
			}
		},
	}
}
