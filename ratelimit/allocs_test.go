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
	three := newWaiting(t, ratelimit.Options{}, ratelimit.PerSecond(1e9), ratelimit.PerMinute(1e9).Named("b"), ratelimit.PerHour(1e9).Named("c"))
	spent := newWaiting(t, ratelimit.Options{}, ratelimit.PerHour(1), ratelimit.PerDay(1).Named("b"))
	spent.Allow()
	patient := newWaiting(t, ratelimit.Options{MaxWait: 1}, ratelimit.PerSecond(1e9))
	tiered := newTiered(t, 0, func(string) {})
	tiered.Allow("gold")
	tiered.Allow("ann")
	sum := 0 // captured, as by a real call
	add := func(context.Context) error { sum++; return nil }
	value := func(context.Context) (int, error) { sum++; return sum, nil }
	for name, take := range map[string]func(){
		"Limiter.Allow":         func() { l.Allow() },
		"Limiter.Allow, denied": func() { empty.Allow() },
		"Limiter.AllowN":        func() { l.AllowN(2) },
		"Limiter.Take":          func() { _, _ = l.Take(1) },
		"Limiter.Take, denied":  func() { _, _ = empty.Take(1) },
		"Limiter.Take, a peek":  func() { _, _ = l.Take(0) },
		"three limits, a peek":  func() { _, _ = three.Take(0) },
		"Limiter.Do":            func() { _ = l.Do(ctx, add) },
		"Limiter.Do, capturing": func() { i := sum; _ = l.Do(ctx, func(context.Context) error { sum = i + 1; return nil }) },
		"DoValue":               func() { _, _ = ratelimit.DoValue(ctx, l, value) },
		"Keyed.Allow":           func() { k.Allow("a") },
		"Keyed.Allow, denied":   func() { drained.Allow("a") },
		"Keyed.Take":            func() { _, _ = k.Take("a", 1) },
		"Subject.Do":            func() { i := sum; _ = k.For("a").Do(ctx, func(context.Context) error { sum = i + 1; return nil }) },
		"DoValueFor":            func() { _, _ = ratelimit.DoValueFor(ctx, k, "a", value) },
		"three limits, Allow":   func() { three.Allow() },
		"three limits, Take":    func() { _, _ = three.Take(1) },
		"three limits, Do":      func() { _ = three.Do(ctx, add) },
		"two limits, denied":    func() { spent.Allow() },
		"Limiter.Wait":          func() { _ = l.Wait(ctx) },
		"Limiter.Do, may wait":  func() { _ = patient.Do(ctx, add) },
		"Limiter.Charge":        func() { _ = l.Charge(1) },
		"Limiter.Refund":        func() { _ = l.Refund(1) },
		"three limits, Charge":  func() { _ = three.Charge(1) },
		"three limits, Refund":  func() { _ = three.Refund(1) },
		"Keyed.Charge":          func() { _ = k.Charge("a", 1) },
		"Keyed.Refund":          func() { _ = k.Refund("a", 1) },
		"tier, Allow":           func() { tiered.Allow("gold") },
		"tier, Take":            func() { _, _ = tiered.Take("gold", 1) },
		"Taker.Take":            func() { _, _ = taker.Take(ctx, "a", 1) },
	} {
		if n := testing.AllocsPerRun(1000, take); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = l.Reserve(1) }); n > 1 {
		t.Errorf("a reservation allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() { _ = empty.Do(ctx, add) }); n > 3 {
		t.Errorf("a refused Do allocates %v times", n)
	}
}
