package ratelimit_test

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// A flood of keys that come once each, while clients with buckets that are not full go on.
func TestHostileKeysGrowNoMemoryAndFreeNoOneAndPushNoOneOut(t *testing.T) {
	const maxKeys, clients = 100_000, 1000
	tier := []ratelimit.Limit{ratelimit.PerHour(10), ratelimit.PerDay(100).Named("day")}
	for name, tt := range map[string]struct {
		keys    int
		bound   int64
		options ratelimit.KeyedOptions[string]
	}{
		"one limit": {hostileKeys, 20 << 20, ratelimit.KeyedOptions[string]{Limits: tier[:1]}},
		"tiers of two": {hostileKeys / 4, 40 << 20, ratelimit.KeyedOptions[string]{
			Limits: tier[:1], LimitsFor: func(string) []ratelimit.Limit { return tier },
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if slowed {
				tt.keys /= 2 // still more than MaxKeys
			}
			before := heap()
			tt.options.MaxKeys = maxKeys
			k, err := ratelimit.NewKeyed(tt.options)
			if err != nil {
				t.Fatal(err)
			}
			names := make([]string, clients)
			for i := range names {
				names[i] = fmt.Sprint("client-", i)
				k.AllowN(names[i], 4) // 6 remain; half of the clients have nothing left
				if i%2 == 0 {
					k.AllowN(names[i], 6)
				}
			}
			start := time.Now()
			flooded := 0
			for i := range tt.keys {
				if k.Allow("attacker-" + strconv.Itoa(i)) {
					flooded++
				}
			}
			took := time.Since(start)
			size := heap() - before
			t.Logf("%d keys in %v (%v each): the heap is %.1f MiB larger, %d of the flood were allowed, %+v",
				tt.keys, took.Round(time.Millisecond), took/time.Duration(tt.keys), float64(size)/(1<<20), flooded, k.Stats())
			if size > tt.bound {
				t.Errorf("the heap grew by %d bytes, more than %d", size, tt.bound)
			}
			if most := maxKeys - clients + 10 + 1 + int(took/(6*time.Minute)); flooded > most {
				t.Errorf("%d of the flood were allowed, at most %d may be", flooded, most)
			}
			for i, name := range names {
				r, err := k.Take(name, 1)
				if err != nil || r.Allowed != (i%2 == 1) || i%2 == 1 && r.Remaining != 5 {
					t.Fatalf("client %d does not have its own bucket: %+v, %v", i, r, err)
				}
			}
			if s := k.Stats(); s.Keys != maxKeys {
				t.Errorf("%+v", s)
			}
			runtime.KeepAlive(k)
		})
	}
}
