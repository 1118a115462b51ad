//go:build !race

package breaker_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker"
)

// The race detector has nothing to find here, and would take most of its time for 210 000 breakers.
func TestABreakerOfAKeyedTakesNoMoreThanDocumented(t *testing.T) {
	// The runtime takes memory for itself in chunks of 256 KiB. So there are as many breakers as make a chunk a few bytes of each.
	const sets, n = 3, 10_000
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("h%05d", i)
	}
	halfOpen := func(b *breaker.Breaker) error {
		_ = fail(b)
		for b.State() != breaker.HalfOpen { // it is open for a nanosecond
			runtime.Gosched()
		}
		return nil
	}
	var kept []*breaker.Keyed[string] // what one leaves behind is no part of the next one's measure
	for _, tt := range []struct {
		state breaker.State
		call  func(*breaker.Breaker) error
		o     breaker.Options
		most  int64
	}{
		{breaker.Closed, succeed, breaker.Options{}, 512},
		{breaker.Open, fail, breaker.Options{}, 512},
		{breaker.HalfOpen, halfOpen, breaker.Options{OpenFor: 1, MaxOpenFor: 1}, 512},
		{breaker.Closed, succeed, breaker.Options{SlowCall: time.Second}, 512 + 368},
		{breaker.Closed, succeed, breaker.Options{ConsecutiveFailures: 5}, 512 + 64},
		{breaker.Closed, succeed, breaker.Options{Window: breaker.LastCalls(100)}, 512 + 400},
		{breaker.Closed, succeed, breaker.Options{Window: breaker.LastCalls(100), SlowCall: time.Second}, 512 + 600},
	} {
		before := heap()
		first := len(kept)
		for range sets {
			k := newKeyed(t, breaker.KeyedOptions[string]{Options: tt.o})
			kept = append(kept, k)
			for _, key := range keys {
				_ = tt.call(k.For(key))
			}
		}
		used := (heap() - before) / (sets * n)
		for _, k := range kept[first:] {
			if s := k.Stats(); map[breaker.State]int{breaker.Closed: s.Closed, breaker.Open: s.Open, breaker.HalfOpen: s.HalfOpen}[tt.state] != n {
				t.Fatalf("%+v", s)
			}
		}
		if used > tt.most {
			t.Errorf("%d bytes per %v breaker with %v and SlowCall %v, at most %d are documented", used, tt.state, tt.o.Window, tt.o.SlowCall, tt.most)
		}
		t.Logf("%d bytes per %v breaker with %v and SlowCall %v", used, tt.state, tt.o.Window, tt.o.SlowCall)
	}
	runtime.KeepAlive(kept)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.OtherSys)
}
