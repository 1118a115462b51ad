package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// recovered runs fn and returns what it panics with.
func recovered(fn func()) (r any) {
	defer func() { r = recover() }()
	fn()
	return nil
}

func TestALimitsForThatPanicsLeavesNothingBehind(t *testing.T) {
	fail := true
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerHour(1)}, MaxKeys: 1,
		LimitsFor: func(string) []ratelimit.Limit {
			if fail {
				panic("boom")
			}
			return []ratelimit.Limit{ratelimit.PerHour(2)}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if r := recovered(func() { k.Allow("a") }); r != "boom" {
			t.Fatalf("recovered %v", r)
		}
	}
	if s := k.Stats(); s != (ratelimit.KeyedStats{}) {
		t.Errorf("%+v", s)
	}
	if fail = false; !k.AllowN("a", 2) || k.Allow("a") || k.Stats().Keys != 1 {
		t.Errorf("a has not its own bucket: %+v", k.Stats())
	}
}

func TestALimitsForThatAsksForItsOwnKeyTakesOnce(t *testing.T) {
	var k *ratelimit.Keyed[string]
	asked := 0
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerHour(1)},
		LimitsFor: func(key string) []ratelimit.Limit {
			if asked++; asked == 1 && !k.AllowN(key, 2) { // within the take of 1
				t.Error("the inner take was denied")
			}
			return []ratelimit.Limit{ratelimit.PerHour(3)}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !k.Allow("a") || k.Allow("a") || k.Stats().Keys != 1 || asked != 2 {
		t.Errorf("asked %d times, %+v", asked, k.Stats())
	}
}

func TestKeysThatCannotBeComparedHarmNoOther(t *testing.T) {
	const maxKeys = 10
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[any]{Limits: []ratelimit.Limit{ratelimit.PerHour(1)}, MaxKeys: maxKeys})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if recovered(func() { k.Allow([]int{1}) }) == nil {
			t.Error("a slice was a key")
		}
	}
	allowed := 0
	for range 100 {
		if k.Allow(math.NaN()) {
			allowed++
		}
	}
	if s := k.Stats(); allowed != maxKeys+1 || s.Keys != maxKeys {
		t.Errorf("%d were allowed, %+v: each is another key, and bounded like others", allowed, s)
	}
}

func TestLimitsWithoutABucketBesideOthers(t *testing.T) {
	unlimited, none := ratelimit.Unlimited().Named("all"), ratelimit.None().Named("none")
	for name, tt := range map[string]struct {
		limits  []ratelimit.Limit
		allowed int64
		binding string
		never   bool
	}{
		"unlimited and one":  {[]ratelimit.Limit{unlimited, ratelimit.PerHour(2).Named("two")}, 2, "two", false},
		"one and none":       {[]ratelimit.Limit{ratelimit.PerHour(2).Named("two"), none}, 0, "none", true},
		"all and none":       {[]ratelimit.Limit{unlimited, none}, 0, "none", true},
		"a shadow of none":   {[]ratelimit.Limit{none.Shadowed(), ratelimit.PerHour(2).Named("two")}, 2, "two", false},
		"a shadow of all":    {[]ratelimit.Limit{unlimited.Shadowed(), ratelimit.PerHour(2).Named("two")}, 2, "two", false},
		"one shadow of none": {[]ratelimit.Limit{unlimited, none.Shadowed()}, math.MaxInt64, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newWaiting(t, ratelimit.Options{}, tt.limits...)
			k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: tt.limits})
			if err != nil {
				t.Fatal(err)
			}
			takers := map[string]ratelimit.Refunder{"Limiter": l.Taker(), "Keyed": ratelimit.TakerOf(k)}
			for name, taker := range takers {
				if tt.allowed > 0 {
					if r, err := taker.Take(t.Context(), "a", tt.allowed); err != nil || !r.Allowed || r.RetryAfter != 0 {
						t.Errorf("%s: %+v, %v", name, r, err)
					}
				}
				if tt.binding == "" {
					continue
				}
				r, err := taker.Take(t.Context(), "a", 1)
				if err != nil || r.Allowed || r.Limit.Name != tt.binding || r.Never != tt.never || (r.RetryAfter > 0) == tt.never || r.Remaining != 0 {
					t.Errorf("%s: %+v, %v", name, r, err)
				}
				// To settle what was not taken harms no one.
				if err := taker.Refund(t.Context(), "a", math.MaxInt64); err != nil {
					t.Error(err)
				}
				if r, err := taker.Take(t.Context(), "a", max(1, tt.allowed)); err != nil || r.Allowed != (tt.allowed > 0) {
					t.Errorf("%s: after a refund %+v, %v", name, r, err)
				}
			}
			if _, err := l.Reserve(1); tt.never != (err != nil) {
				t.Errorf("a reservation: %v", err)
			}
		})
	}
}

// Whoever is refused because the wait is longer than a bucket can count is told that it is long, not that it is short.
func TestAWaitPastTheHorizonIsRefusedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newWaiting(t, ratelimit.Options{}, ratelimit.PerHour(2), ratelimit.PerHour(3).Named("b"))
		const owed = 73 * 365 * 24 * 2 // 73 years, in both the bucket and its word
		for l.Charge(owed) == nil {
		}
		for l.Charge(1) == nil {
		}
		err := l.Wait(t.Context())
		limited, is := errors.AsType[*ratelimit.LimitedError](err)
		if !is || limited.Result.Never || limited.RetryAfter() < 10*365*24*time.Hour || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if _, err := l.Reserve(1); !errors.Is(err, ratelimit.ErrHorizon) {
			t.Errorf("a reservation: %v", err)
		}
	})
}
