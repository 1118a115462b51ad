package ratelimit_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// While tables are made anew under the takes, no token of a bucket is lost, and none is given twice.
func TestTakesWhileTablesAreMadeAnewGetExactlyTheBurst(t *testing.T) {
	const hot, burst, goroutines = 24, 400, 8
	k := newKeyed(t, ratelimit.PerHour(1).WithBurst(burst), 100_000)
	var allowed [hot]atomic.Int64
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := range 2 * burst * hot / goroutines {
				if key := (i + g) % hot; k.Allow("hot-" + strconv.Itoa(key)) {
					allowed[key].Add(1)
				}
				fresh := strconv.Itoa(g) + "-" + strconv.Itoa(i)
				k.Allow(fresh)
				if i%16 != 0 { // it is full again, and not in the next table
					_ = k.Refund(fresh, 1)
				}
				if i%97 == 0 { // the limit that it has, as an account
					_ = k.SetLimits(fresh, []ratelimit.Limit{ratelimit.PerHour(1).WithBurst(burst)})
				}
			}
		})
	}
	all.Wait()
	for key := range allowed {
		if got := allowed[key].Load(); got != burst {
			t.Errorf("key %d got %d of %d tokens", key, got, burst)
		}
	}
}

func TestChargesAndRefundsBesideTakesLoseNoToken(t *testing.T) {
	const burst, goroutines, rounds = 500_000, 8, 2000
	k := newKeyed(t, ratelimit.PerHour(1).WithBurst(burst), 10)
	k.Allow("hot")
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range rounds {
				k.Allow("hot")
				_ = k.Charge("hot", 3)
				_ = k.Refund("hot", 2)
			}
		})
	}
	all.Wait()
	r, err := k.Take("hot", 0)
	if want := int64(burst - 1 - 2*goroutines*rounds); err != nil || r.Remaining != want {
		t.Errorf("%d tokens remain (%v), want %d", r.Remaining, err, want)
	}
}

// Buckets that are dropped all the time, because they are full again at once, give no key more than its rate.
func TestTakesWhileBucketsAreDroppedAreNeverOver(t *testing.T) {
	const hot, burst, perSecond, goroutines = 16, 2, 20_000, 8
	for name, maxKeys := range map[string]int{"by new tables": 1_000_000, "at the bound": 64} {
		t.Run(name, func(t *testing.T) {
			k := newKeyed(t, ratelimit.PerSecond(perSecond).WithBurst(burst), maxKeys)
			var allowed atomic.Int64
			var all sync.WaitGroup
			began := time.Now()
			for g := range goroutines {
				all.Go(func() {
					for i := 0; i%64 != 0 || time.Since(began) < 100*time.Millisecond; i++ {
						if k.Allow("hot-" + strconv.Itoa((i+g)%hot)) {
							allowed.Add(1)
						}
						k.Allow(strconv.Itoa(g) + "-" + strconv.Itoa(i))
					}
				})
			}
			all.Wait()
			buckets := int64(hot)
			if k.Stats().Overflowed > 0 {
				buckets++
			}
			most := buckets * (burst + int64(time.Since(began))*perSecond/int64(time.Second) + 1)
			if got := allowed.Load(); got > most {
				t.Errorf("%d were allowed, at most %d may be", got, most)
			}
		})
	}
}

// The first to come makes the bucket, which the others follow: they catch up, and then meet at each key.
func TestAKeyThatComesFromManySidesAtOnceBeginsOnce(t *testing.T) {
	const keys, goroutines = 20_000, 4
	k := newKeyed(t, ratelimit.PerHour(1), keys)
	names := make([]string, keys)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	allowed := make([]atomic.Int32, keys)
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for i, name := range names {
				if k.Allow(name) {
					allowed[i].Add(1)
				}
			}
		})
	}
	all.Wait()
	for i := range allowed {
		if got := allowed[i].Load(); got != 1 {
			t.Fatalf("key %d got %d tokens", i, got)
		}
	}
}

// Shards that make places and shards that take them, all at the bound.
func TestKeysAreNeverMoreThanMaxKeys(t *testing.T) {
	const maxKeys, places, goroutines = 2048, 32, 8
	const burst = 10_000_000_000
	k := newKeyed(t, ratelimit.PerSecond(1_000_000).WithBurst(burst), maxKeys)
	for i := range maxKeys - places {
		k.AllowN(strconv.Itoa(i), burst) // in debt for hours; all others are full after a microsecond
	}
	var all sync.WaitGroup
	var most atomic.Int64
	for g := range goroutines {
		all.Go(func() {
			for i := range 5_000 {
				k.Allow(strconv.Itoa(g) + "-" + strconv.Itoa(i))
				if keys := int64(k.Stats().Keys); keys > most.Load() {
					most.Store(keys)
				}
			}
		})
	}
	all.Wait()
	if got := most.Load(); got != maxKeys {
		t.Errorf("up to %d keys had a bucket, of %d", got, maxKeys)
	}
}
