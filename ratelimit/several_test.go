package ratelimit_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

func TestADenialByOneLimitTakesFromNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := []ratelimit.Limit{
			ratelimit.PerSecond(5).Named("second"), ratelimit.PerMinute(6).Named("minute"), ratelimit.PerHour(7).Named("hour"),
		}
		l := newWaiting(t, ratelimit.Options{}, limits...)
		k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits})
		if err != nil {
			t.Fatal(err)
		}
		for name, allow := range map[string]func(n int64) bool{
			"Limiter": l.AllowN, "Keyed": func(n int64) bool { return k.AllowN("a", n) },
		} {
			if !allow(5) || allow(1) {
				t.Errorf("%s: not 5 in a second", name)
			}
		}
		time.Sleep(10 * time.Second) // the minute has 2, the hour 2
		for name, allow := range map[string]func(n int64) bool{
			"Limiter": l.AllowN, "Keyed": func(n int64) bool { return k.AllowN("a", n) },
		} {
			for range 100 {
				if allow(4) { // which the second has
					t.Errorf("%s: the minute had 4", name)
				}
			}
			if !allow(2) {
				t.Errorf("%s: denied takes took something", name)
			}
		}
	})
}

func TestSeveralLimitsHoldTogetherUnderManyGoroutines(t *testing.T) {
	l := newWaiting(t, ratelimit.Options{}, ratelimit.PerSecond(100_000).WithBurst(50), ratelimit.PerHour(1).WithBurst(3000).Named("hour"),
		ratelimit.PerSecond(999_983).WithBurst(40).Named("odd"))
	allowed, elapsed := hammer(100*time.Millisecond, func(int, int) bool { return l.Allow() })
	most := min(50+int64(elapsed)/10_000, 3000)
	if allowed > most || allowed < 40 {
		t.Errorf("%d were allowed in %v, at most %d may be", allowed, elapsed, most)
	}
	if r, err := l.Take(0); err != nil || r.Remaining > 3000-allowed {
		t.Errorf("%d were allowed, and %+v", allowed, r)
	}
}

func TestAShadowDecidesAndCountsAndDeniesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &meters{}
		trial := ratelimit.PerMinute(3).Named("trial").Shadowed()
		l := newWaiting(t, ratelimit.Options{MeterProvider: m, Name: "pair"}, ratelimit.PerMinute(7).Named("real"), trial)
		alone := newWaiting(t, ratelimit.Options{MeterProvider: m, Name: "alone"}, trial)
		k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[int]{MeterProvider: m, Name: "keyed", Limits: []ratelimit.Limit{trial}})
		if err != nil {
			t.Fatal(err)
		}
		for range 9 {
			l.Allow()
			if !alone.Allow() || !k.Allow(1) || alone.Do(t.Context(), nothing) != nil || k.For(2).Do(t.Context(), nothing) != nil {
				t.Fatal("a shadow denied")
			}
		}
		if !k.AllowN(3, 4) { // more than the shadow can ever hold
			t.Error("a shadow denied what never fits")
		}
		if s := l.Stats(); s.Allowed != 7 || s.Denied != 2 || s.ShadowDenied != 6 {
			t.Errorf("%+v", s)
		}
		time.Sleep(20 * time.Second) // a token of the trial: it took 3, not 7
		l.Allow()
		series := func(block, limit, result string, n int64) string {
			return fmt.Sprintf("joist.ratelimit.requests{request}{joist.name=%s,joist.ratelimit.limit=%s,joist.ratelimit.result=%s}: %d", block, limit, result, n)
		}
		got := make(map[string]bool)
		for name, n := range m.collect(t) {
			got[fmt.Sprintf("%s: %d", name, n)] = true
		}
		for _, want := range []string{
			series("pair", "real", "allowed", 8), series("pair", "trial", "allowed", 0), // a shadow does not decide
			series("pair", "real", "denied", 2), series("pair", "trial", "shadow_denied", 6),
			series("alone", "trial", "allowed", 18), series("alone", "trial", "shadow_denied", 15), series("alone", "trial", "denied", 0),
			series("keyed", "trial", "allowed", 19), series("keyed", "trial", "shadow_denied", 13),
		} {
			if !got[want] {
				t.Errorf("no %s in %v", want, got)
			}
		}
	})
}

func TestNamesOfLimitsAreToldApartUpTo32(t *testing.T) {
	m := &meters{}
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[int]{
		MeterProvider: m,
		Limits:        []ratelimit.Limit{ratelimit.PerHour(1)},
		LimitsFor: func(key int) []ratelimit.Limit {
			return []ratelimit.Limit{ratelimit.PerHour(1).Named(fmt.Sprint("tier-", key))}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range 100 {
		k.Allow(key)
	}
	got := m.collect(t)
	names := make(map[string]int64)
	for series, n := range got {
		_, name, _ := strings.Cut(series, "limit=")
		name, _, _ = strings.Cut(name, ",")
		names[name] += n
	}
	// The plain limit and 31 tiers, and the rest together.
	if len(names) != 33 || names["_other"] != 69 || names["tier-30"] != 1 {
		t.Errorf("%d names: %v", len(names), names)
	}
	if s := k.Stats(); s.Allowed != 100 {
		t.Errorf("%+v", s)
	}
}

func TestARefusalNamesTheLimitThatDeniesTheLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newWaiting(t, ratelimit.Options{Name: "x"}, ratelimit.PerSecond(1).Named("second"), ratelimit.PerDay(2).WithBurst(1).Named("day"))
		if err := l.Do(t.Context(), nothing); err != nil {
			t.Fatal(err)
		}
		err := l.Do(t.Context(), func(context.Context) error { t.Error("called"); return nil })
		if want := `joist/ratelimit: "x" is limited (day: 2 per 24h0m0s, burst 1): retry after 12h0m0s`; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	})
}

// What a shadow would have denied is a question of its own: it is counted whatever the take came to, for each shadow, and
// by every way to take.
func TestAShadowIsCountedForTakesThatAnotherLimitDeniesToo(t *testing.T) {
	limits := []ratelimit.Limit{
		ratelimit.PerHour(1).Named("tight").Shadowed(), ratelimit.PerHour(2).Named("real"), ratelimit.PerHour(3).Named("wide").Shadowed(),
		ratelimit.None().Named("off").Shadowed(),
	}
	for name, take := range map[string]func(l *ratelimit.Limiter, n int64){
		"Allow": func(l *ratelimit.Limiter, n int64) { l.AllowN(n) },
		"Take": func(l *ratelimit.Limiter, n int64) {
			if r, err := l.Take(n); err != nil || !r.Allowed && r.Limit.Name != "real" {
				t.Errorf("%+v, %v", r, err)
			}
		},
		"Wait": func(l *ratelimit.Limiter, n int64) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_ = l.WaitN(ctx, n)
		},
	} {
		m := &meters{}
		l := newWaiting(t, ratelimit.Options{MeterProvider: m}, limits...)
		take(l, 2) // more than tight ever holds, and off
		take(l, 1) // denied by real; tight and wide have 1 left
		take(l, 2) // denied by real, tight and wide
		take(l, 3) // never fits but into wide, which has 1 left
		if s := l.Stats(); s.Allowed != 1 || s.Denied != 3 || s.ShadowDenied != 3+2+4 {
			t.Errorf("%s: %+v", name, s)
		}
		got := m.collect(t)
		for limit, want := range map[string]int64{"tight": 3, "real": 0, "wide": 2, "off": 4} {
			series := "joist.ratelimit.requests{request}{joist.name=default,joist.ratelimit.limit=" + limit + ",joist.ratelimit.result=shadow_denied}"
			if got[series] != want {
				t.Errorf("%s: %s would have denied %d, want %d", name, limit, got[series], want)
			}
		}
	}
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits, MaxKeys: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b"} { // b by the overflow bucket, but for 3, which no bucket ever holds but a full one of wide
		for _, n := range []int64{2, 1, 2, 3} {
			k.AllowN(key, n)
		}
	}
	if s := k.Stats(); s.Allowed != 2 || s.Denied != 6 || s.ShadowDenied != 9+8 || s.Overflowed != 3 {
		t.Errorf("%+v", s)
	}
	l := newWaiting(t, ratelimit.Options{}, limits...)
	if _, err := l.Reserve(3); err == nil || l.Stats().ShadowDenied != 2 {
		t.Errorf("a reservation of more than ever fits: %v, %+v", err, l.Stats())
	}
}

// A shadow is not owed what it would never have given.
func TestAReservationOfMoreThanAShadowHoldsTakesNothingFromIt(t *testing.T) {
	l := newWaiting(t, ratelimit.Options{}, ratelimit.PerHour(10), ratelimit.PerHour(2).Named("trial").Shadowed())
	r, err := l.Reserve(5)
	if err != nil || r.Delay() != 0 {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Allowed != 1 || s.ShadowDenied != 1 {
		t.Errorf("%+v", s)
	}
	if l.AllowN(2); l.Stats().ShadowDenied != 1 {
		t.Errorf("the shadow was in debt: %+v", l.Stats())
	}
	r.Cancel()
	if l.AllowN(1); l.Stats().ShadowDenied != 2 {
		t.Errorf("the shadow was given what it did not give: %+v", l.Stats())
	}
}
