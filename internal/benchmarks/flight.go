package main

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/singleflight"
	resenje "resenje.org/singleflight"

	"github.com/joist-go/joist/pool/flight"
)

var flightCases = []benchCase{
	{name: "shared-key", about: "calls work under one key for all, under a context that cannot be cancelled", setup: flightSharedKey},
	{name: "distinct-keys", about: "calls work under keys of the goroutine's own, under a context that cannot be cancelled", setup: flightDistinctKeys},
	{name: "cancellable", about: "calls work under keys of the goroutine's own, under a context that can be cancelled", setup: flightCancellable},
}

const (
	flightKeys    = 64 // of each goroutine
	ownKeysText   = "64 keys of each goroutine's own"
	resenjeModule = "resenje.org/singleflight"
	xsyncModule   = "golang.org/x/sync"
)

// loadedUser is the load. It returns a pointer, as x/sync's any would allocate for anything else.
var loadedUser = &user{Name: "loaded"}

func loadUser(context.Context) (*user, error) { return loadedUser, nil }

func loadUserAny() (any, error) { return loadedUser, nil }

func flightSharedKey(env *environment) (lineup, error) {
	return uncancellableFlights(env, func(int) []string { return []string{"user:42"} }, "one key")
}

func flightDistinctKeys(env *environment) (lineup, error) {
	return uncancellableFlights(env, ownKeys, ownKeysText)
}

// ownKeys returns the keys of one goroutine.
func ownKeys(worker int) []string {
	keys := make([]string, flightKeys)
	for i := range keys {
		keys[i] = fmt.Sprintf("user:%d:%d", worker, i)
	}
	return keys
}

func ourFlight(env *environment) (*flight.Group[string, *user], error) {
	return flight.New[string, *user](flight.Options{
		Name: "benchmark", MeterProvider: env.sdk.metrics, TracerProvider: env.sdk.traces,
	})
}

func uncancellableFlights(env *environment, keysOf func(worker int) []string, text string) (lineup, error) {
	ours, err := ourFlight(env)
	if err != nil {
		return lineup{}, err
	}
	var peer singleflight.Group
	return lineup{
		ours: contender{name: "joist", settings: "Do; " + text, loop: func(worker int) func(int) {
			keys := keysOf(worker)
			return func(n int) {
				for i := range n {
					_, _ = ours.Do(ctx, keys[i%len(keys)], loadUser)
				}
			}
		}},
		peers: []contender{{name: "x/sync", module: xsyncModule, settings: "singleflight.Do; " + text, loop: func(worker int) func(int) {
			keys := keysOf(worker)
			return func(n int) {
				for i := range n {
					_, _, _ = peer.Do(keys[i%len(keys)], loadUserAny)
				}
			}
		}}},
		floor: claimAndRelease(keysOf),
	}, nil
}

// claimAndRelease is the floor of a flight: a key is put into a map under a lock, the load is called, and the key is
// taken out again. The map is the goroutine's own, as if there were no one to share with.
func claimAndRelease(keysOf func(worker int) []string) *contender {
	return &contender{loop: func(worker int) func(int) {
		keys := keysOf(worker)
		var mu sync.Mutex
		flying := make(map[string]*user)
		return func(n int) {
			for i := range n {
				key := keys[i%len(keys)]
				mu.Lock()
				flying[key] = nil
				mu.Unlock()
				_, _ = loadUser(ctx)
				mu.Lock()
				delete(flying, key)
				mu.Unlock()
			}
		}
	}}
}

// callAside is the floor of a flight that its caller may leave: the load runs in a goroutine of its own, and the caller
// waits for it or for the end of its context.
func callAside(ctx context.Context) *contender {
	return &contender{loop: func(int) func(int) {
		return func(n int) {
			for range n {
				done := make(chan struct{})
				go func() {
					_, _ = loadUser(ctx)
					close(done)
				}()
				select {
				case <-done:
				case <-ctx.Done():
				}
			}
		}
	}}
}

// flightCancellable gives each goroutine keys of its own, for under one key resenje would not do the same work: it keeps
// a key until its last waiter has left, so that callers in a row are answered by one load for ever.
func flightCancellable(env *environment) (lineup, error) {
	ours, err := ourFlight(env)
	if err != nil {
		return lineup{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	env.cleanup(cancel)
	var peer resenje.Group[string, *user]
	return lineup{
		ours: contender{name: "joist", settings: "Do; " + ownKeysText, loop: func(worker int) func(int) {
			keys := ownKeys(worker)
			return func(n int) {
				for i := range n {
					_, _ = ours.Do(ctx, keys[i%flightKeys], loadUser)
				}
			}
		}},
		peers: []contender{{name: "resenje", module: resenjeModule, settings: "Do; " + ownKeysText, loop: func(worker int) func(int) {
			keys := ownKeys(worker)
			return func(n int) {
				for i := range n {
					_, _, _ = peer.Do(ctx, keys[i%flightKeys], loadUser)
				}
			}
		}}},
		floor: callAside(ctx),
	}, nil
}
