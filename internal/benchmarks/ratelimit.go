package main

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/sethvargo/go-limiter/memorystore"
	"golang.org/x/time/rate"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/ratelimit"
)

var ratelimitCases = []benchCase{
	{name: "allow", about: "takes a token that is there", setup: ratelimitAllow},
	{name: "deny", about: "asks an empty bucket", setup: ratelimitDeny},
	{name: "three", about: "takes a token that is there from three limits at once, beside one of the peer", setup: ratelimitThree},
	{name: "wait", about: "waits for a token that is there", setup: ratelimitWait},
	{name: "keyed-100k", about: "takes a token that is there, of 100 000 keys in random order", setup: keyedSetup(100_000), longer: 50},
	{name: "keyed-1k", about: "takes a token that is there, of 1000 keys in random order", setup: keyedSetup(1000)},
}

const (
	plenty      = 500_000_000 // tokens per second: more than anyone takes
	plentyBurst = 10_000_000
	keyedTokens = 1_000_000 // of each key: more than anyone takes, and so few a day that no bucket is full again
	keyedPerDay = 10_000
)

func ratelimitAllow(env *environment) (lineup, error) {
	limit := ratelimit.PerSecond(plenty).WithBurst(plentyBurst)
	return allowLineup(env, []ratelimit.Limit{limit}, rate.NewLimiter(plenty, plentyBurst),
		fmt.Sprintf("Allow; %d/s, burst %d", plenty, plentyBurst), clockAndCAS())
}

func ratelimitThree(env *environment) (lineup, error) {
	limits := []ratelimit.Limit{
		ratelimit.PerSecond(plenty).WithBurst(plentyBurst).Named("second"),
		ratelimit.PerMinute(60 * plenty).WithBurst(plentyBurst).Named("minute"),
		ratelimit.PerHour(3600 * plenty).WithBurst(2 * plentyBurst).Named("hour"),
	}
	return allowLineup(env, limits, rate.NewLimiter(plenty, plentyBurst),
		fmt.Sprintf("Allow; three limits of %d/s, of the peer one; burst %d", plenty, plentyBurst), clockOnly())
}

func ratelimitWait(env *environment) (lineup, error) {
	limit := ratelimit.PerSecond(plenty).WithBurst(plentyBurst)
	l, err := allowLineup(env, []ratelimit.Limit{limit}, rate.NewLimiter(plenty, plentyBurst), "", clockAndCAS())
	if err != nil {
		return lineup{}, err
	}
	ours, err := ratelimit.New(ratelimit.Options{
		Name: "benchmark", Limits: []ratelimit.Limit{limit}, MeterProvider: env.sdk.metrics, TracerProvider: env.sdk.traces,
	})
	if err != nil {
		return lineup{}, err
	}
	peer := rate.NewLimiter(plenty, plentyBurst)
	text := fmt.Sprintf("Wait; %d/s, burst %d", plenty, plentyBurst)
	l.ours.settings, l.peers[0].settings = text, text
	l.ours.loop = func(int) func(int) {
		return func(n int) {
			for range n {
				_ = ours.Wait(ctx)
			}
		}
	}
	l.peers[0].loop = func(int) func(int) {
		return func(n int) {
			for range n {
				_ = peer.Wait(ctx)
			}
		}
	}
	return l, nil
}

func ratelimitDeny(env *environment) (lineup, error) {
	limit := ratelimit.PerHour(1).WithBurst(1)
	peer := rate.NewLimiter(rate.Every(time.Hour), 1)
	peer.Allow()
	return allowLineup(env, []ratelimit.Limit{limit}, peer, "Allow; 1/h, burst 1, empty", clockOnly())
}

func allowLineup(env *environment, limits []ratelimit.Limit, peer *rate.Limiter, text string, floor *contender) (lineup, error) {
	ours, err := ratelimit.New(ratelimit.Options{
		Name:           "benchmark",
		Limits:         limits,
		MeterProvider:  env.sdk.metrics,
		TracerProvider: env.sdk.traces,
	})
	if err != nil {
		return lineup{}, err
	}
	ours.Allow()
	return lineup{
		ours: contender{name: "joist", settings: text, loop: func(int) func(int) {
			return func(n int) {
				for range n {
					ours.Allow()
				}
			}
		}},
		peers: []contender{{name: "x/time/rate", module: "golang.org/x/time", settings: text, loop: func(int) func(int) {
			return func(n int) {
				for range n {
					peer.Allow()
				}
			}
		}}},
		floor: floor,
	}, nil
}

func keyedSetup(keys int) func(*environment) (lineup, error) {
	return func(env *environment) (lineup, error) { return keyedLineup(env, keys) }
}

func keyedLineup(env *environment, count int) (lineup, error) {
	keys := make([]string, count)
	for i := range keys {
		keys[i] = fmt.Sprintf("user:%d", i)
	}
	ours, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Name:           "benchmark",
		Limits:         []ratelimit.Limit{ratelimit.PerDay(keyedPerDay).WithBurst(keyedTokens)},
		MaxKeys:        2 * count,
		MeterProvider:  env.sdk.metrics,
		TracerProvider: env.sdk.traces,
	})
	if err != nil {
		return lineup{}, err
	}
	peer, err := memorystore.New(&memorystore.Config{
		Tokens: keyedTokens, Interval: 24 * time.Hour, SweepInterval: time.Hour, SweepMinTTL: 48 * time.Hour, InitialAlloc: count,
	})
	if err != nil {
		return lineup{}, err
	}
	env.cleanup(func() { _ = peer.Close(ctx) })
	for _, k := range keys {
		ours.Allow(k)
		_, _, _, _, _ = peer.Take(ctx, k)
	}
	order := shuffled(count)
	return lineup{
		ours: contender{
			name: "joist", settings: fmt.Sprintf("Allow; per key %d a day, burst %d; MaxKeys twice the keys", keyedPerDay, keyedTokens),
			loop: func(worker int) func(int) {
				at := worker * count / 3
				return func(n int) {
					i := at
					for range n {
						ours.Allow(keys[order[i]])
						if i++; i == count {
							i = 0
						}
					}
					at = i
				}
			},
		},
		peers: []contender{{
			name: "go-limiter", module: "github.com/sethvargo/go-limiter",
			settings: fmt.Sprintf("memorystore.Take; per key %d a day, map sized for all keys, no sweep meanwhile", keyedTokens),
			loop: func(worker int) func(int) {
				at := worker * count / 3
				return func(n int) {
					i := at
					for range n {
						_, _, _, _, _ = peer.Take(ctx, keys[order[i]])
						if i++; i == count {
							i = 0
						}
					}
					at = i
				}
			},
		}},
		floor: hashedWords(keys, order),
	}, nil
}

// hashedWords is the floor of a limiter by key: a clock reading, the hash of the key, and a compare-and-swap of the word
// that it leads to. Beside each word there is the room that its key and hash would take.
func hashedWords(keys []string, order []int32) *contender {
	type place struct {
		word atomic.Int64
		_    uint64
		_    string
	}
	var (
		count  = len(keys)
		mask   = uint64(1)<<bits.Len(uint(count)) - 1
		places = make([]place, mask+1)
		seed   = maphash.MakeSeed()
		now    = clock.New()
	)
	return &contender{loop: func(worker int) func(int) {
		at := worker * count / 3
		return func(n int) {
			i := at
			for range n {
				word := &places[maphash.String(seed, keys[order[i]])&mask].word
				old := word.Load()
				word.CompareAndSwap(old, max(old, now.Now()))
				if i++; i == count {
					i = 0
				}
			}
			at = i
		}
	}}
}

// shuffled returns the numbers below n in an order that is random, and the same in every run.
func shuffled(n int) []int32 {
	order := make([]int32, n)
	for i, v := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		order[i] = int32(v)
	}
	return order
}
