//go:build !race

package ratelimit_test

import (
	"context"
	"testing"

	"github.com/joist-go/joist/ratelimit"
)

func TestTakesAllocateNothing(t *testing.T) {
	l, empty := newLimiter(t, ratelimit.PerSecond(1e9)), newLimiter(t, ratelimit.PerHour(1))
	k, drained := newKeyed(t, ratelimit.PerSecond(1e9), 0), newKeyed(t, ratelimit.PerHour(1), 0)
	empty.Allow()
	drained.Allow("a")
	taker := ratelimit.TakerOf(k)
	ctx := t.Context()
	sum := 0 // captured, as by a real call
	add := func(context.Context) error { sum++; return nil }
	value := func(context.Context) (int, error) { sum++; return sum, nil }
	for name, take := range map[string]func(){
		"Limiter.Allow":         func() { l.Allow() },
		"Limiter.Allow, denied": func() { empty.Allow() },
		"Limiter.AllowN":        func() { l.AllowN(2) },
		"Limiter.Take":          func() { _, _ = l.Take(1) },
		"Limiter.Take, denied":  func() { _, _ = empty.Take(1) },
		"Limiter.Do":            func() { _ = l.Do(ctx, add) },
		"Limiter.Do, capturing": func() { i := sum; _ = l.Do(ctx, func(context.Context) error { sum = i + 1; return nil }) },
		"DoValue":               func() { _, _ = ratelimit.DoValue(ctx, l, value) },
		"Keyed.Allow":           func() { k.Allow("a") },
		"Keyed.Allow, denied":   func() { drained.Allow("a") },
		"Keyed.Take":            func() { _, _ = k.Take("a", 1) },
		"Subject.Do":            func() { i := sum; _ = k.For("a").Do(ctx, func(context.Context) error { sum = i + 1; return nil }) },
		"DoValueFor":            func() { _, _ = ratelimit.DoValueFor(ctx, k, "a", value) },
		"Taker.Take":            func() { _, _ = taker.Take(ctx, "a", 1) },
	} {
		if n := testing.AllocsPerRun(1000, take); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	if n := testing.AllocsPerRun(1000, func() { _ = empty.Do(ctx, add) }); n > 3 {
		t.Errorf("a refused Do allocates %v times", n)
	}
}
