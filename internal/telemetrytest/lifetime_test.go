package telemetrytest

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/cache"
	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/ratelimit"
)

func TestACounterDoesNotGoDownWhenOneOfTwoBlocksOfItsNameIsCollected(t *testing.T) {
	m := newMeters()
	newLimiter := func() *ratelimit.Limiter {
		return joist.Must(ratelimit.New(ratelimit.Options{
			Name: "shared", Limits: []ratelimit.Limit{ratelimit.PerSecond(1000)}, MeterProvider: m,
		}))
	}
	newBreaker := func() *breaker.Breaker {
		return joist.Must(breaker.New(breaker.Options{Name: "shared", MeterProvider: m}))
	}
	newBulkhead := func() *bulkhead.Bulkhead {
		return joist.Must(bulkhead.New(bulkhead.Options{Name: "shared", Limit: bulkhead.Fixed(1), MeterProvider: m}))
	}
	use := func(l *ratelimit.Limiter, b *breaker.Breaker, h *bulkhead.Bulkhead, n int) {
		for range n {
			l.Allow()
			_ = b.Do(t.Context(), func(context.Context) error { return nil })
			_ = h.Do(t.Context(), func(context.Context) error { return nil })
		}
	}
	counters := []string{"joist.ratelimit.requests", "joist.breaker.calls", "joist.bulkhead.requests"}
	l, b, h := newLimiter(), newBreaker(), newBulkhead()
	use(l, b, h, 3)
	gone := make(chan string, 3)
	func() {
		l, b, h := newLimiter(), newBreaker(), newBulkhead()
		use(l, b, h, 4)
		for _, c := range counters {
			if got := m.total(t, c); got != 7 {
				t.Errorf("%s is %d before, want 7", c, got)
			}
		}
		if got := m.total(t, "joist.bulkhead.limit"); got != 2 {
			t.Errorf("two bulkheads of 1 have a limit of %d", got)
		}
		runtime.AddCleanup(l, func(string) { gone <- "limiter" }, "")
		runtime.AddCleanup(b, func(string) { gone <- "breaker" }, "")
		runtime.AddCleanup(h, func(string) { gone <- "bulkhead" }, "")
		runtime.KeepAlive(l)
		runtime.KeepAlive(b)
		runtime.KeepAlive(h)
	}()
	for range cap(gone) {
		for waiting := true; waiting; {
			runtime.GC()
			select {
			case <-gone:
				waiting = false
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	for _, c := range counters {
		if got := m.total(t, c); got != 7 {
			t.Errorf("%s is %d after one block was collected, want 7", c, got)
		}
	}
	use(l, b, h, 1)
	for _, c := range counters {
		if got := m.total(t, c); got != 8 {
			t.Errorf("%s is %d after one more, want 8", c, got)
		}
	}
	runtime.KeepAlive(l)
	runtime.KeepAlive(b)
	runtime.KeepAlive(h)
}

func TestAMillionKeysAddNoSeries(t *testing.T) {
	m := newMeters()
	limiter := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerSecond(1)}, MeterProvider: m,
	}))
	circuits := joist.Must(breaker.NewKeyed(breaker.KeyedOptions[string]{Options: breaker.Options{MeterProvider: m}}))
	entries := joist.Must(cache.New(cache.Options[string, int]{
		Load: func(context.Context, string) (int, error) { return 1, nil },
		TTL:  time.Minute, MeterProvider: m,
	}))
	closed(t, entries.Close)
	use := func(key string) {
		limiter.Allow(key)
		_ = circuits.For(key).Do(context.Background(), func(context.Context) error { return nil })
		_ = entries.Set(context.Background(), key, 1)
	}
	use("first")
	before := len(m.points(t))
	for i := range floods {
		use(strconv.Itoa(i))
	}
	after := m.points(t)
	if len(after) != before {
		t.Errorf("%d series before, %d after %d keys", before, len(after), floods)
	}
	for _, p := range after {
		for _, a := range p.attributes.ToSlice() {
			if _, err := strconv.Atoi(a.Value.String()); err == nil {
				t.Errorf("a key is in %s: %v", p.instrument, a)
			}
		}
	}
	for _, c := range []string{"joist.ratelimit.requests", "joist.breaker.calls"} {
		if got := m.total(t, c); got != floods+1 {
			t.Errorf("%s is %d, want one for each of %d keys", c, got, floods+1)
		}
	}
	runtime.KeepAlive(limiter)
	runtime.KeepAlive(circuits)
}
