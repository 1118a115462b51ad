package ratelimit_test

import (
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAFloodOfKeysGrowsNeitherTheMemoryNorTheSeries(t *testing.T) {
	const flood, maxKeys, bound = 1_000_000, 10_000, 2 << 20
	before := heap()
	m := &meters{}
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits:        []ratelimit.Limit{ratelimit.PerHour(10)},
		MaxKeys:       maxKeys,
		MeterProvider: m,
	})
	if err != nil {
		t.Fatal(err)
	}
	k.AllowN("honest", 10)
	var at [2]int64
	allowed := 0
	for half := range 2 {
		for i := range flood / 2 {
			if k.Allow("attacker-" + strconv.Itoa(i+half*flood)) {
				allowed++
			}
		}
		at[half] = heap() - before
	}
	t.Logf("after %d keys the heap is %d KiB larger, after %d keys %d KiB", flood/2, at[0]>>10, flood, at[1]>>10)
	for _, size := range at {
		if size > bound {
			t.Errorf("the heap grew by %d bytes, more than %d", size, bound)
		}
	}
	if most := maxKeys - 1 + 10 + 1; allowed > most { // a token in 6 minutes comes into the overflow bucket, too
		t.Errorf("%d of the flood were allowed, at most %d may be", allowed, most)
	}
	if k.Allow("honest") {
		t.Error("the flood freed a key from its debt")
	}
	if s := k.Stats(); s.Keys != maxKeys {
		t.Errorf("%+v", s)
	}
	if got := m.collect(t); len(got) != 3 {
		t.Errorf("%d series: %v", len(got), got)
	}
	runtime.KeepAlive(k)
}

// Buckets fill again, and their places go to new keys: in the long run, too, a flood gets what MaxKeys + 1 keys may have.
func TestAFloodThatGoesOnGetsTheRateOfTheBucketsAndOfOneMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const maxKeys, burst, seconds = 100, 3, 60
		k := newKeyed(t, ratelimit.PerSecond(1).WithBurst(burst), maxKeys)
		allowed := 0
		for second := range seconds {
			for i := range 5 * maxKeys * burst {
				for range 2 {
					if k.Allow(strconv.Itoa(second) + "-" + strconv.Itoa(i)) {
						allowed++
					}
				}
			}
			time.Sleep(time.Second)
		}
		if most := (maxKeys + 1) * (burst + seconds - 1); allowed > most || allowed < most/2 {
			t.Errorf("%d of the flood were allowed, at most %d may be", allowed, most)
		}
	})
}

func TestKeysThatComeOnceLeaveNothing(t *testing.T) {
	const keys, bound = 300_000, 64 << 10
	before := heap()
	k := newKeyed(t, ratelimit.PerSecond(1_000_000).WithBurst(1), 0) // a bucket is full again after a microsecond
	began := time.Now()
	for i := range keys {
		k.Allow(strconv.Itoa(i))
	}
	took := time.Since(began)
	size := heap() - before
	t.Logf("after %d keys in %v the heap is %d KiB larger, for %d keys", keys, took, size>>10, k.Stats().Keys)
	if size > bound {
		t.Errorf("the heap grew by %d bytes, more than %d", size, bound)
	}
	runtime.KeepAlive(k)
}
