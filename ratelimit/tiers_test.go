package ratelimit_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// newTiered returns a Keyed in which keys that begin with "gold" have 5 per second and 20 a minute, the others 2.
func newTiered(tb testing.TB, maxKeys int, asked func(key string)) *ratelimit.Keyed[string] {
	tb.Helper()
	gold := []ratelimit.Limit{ratelimit.PerSecond(5).Named("gold"), ratelimit.PerMinute(20).Named("minute")}
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits:  []ratelimit.Limit{ratelimit.PerSecond(2)},
		MaxKeys: maxKeys,
		LimitsFor: func(key string) []ratelimit.Limit {
			asked(key)
			switch {
			case strings.HasPrefix(key, "gold"):
				return gold
			case key == "bad":
				return []ratelimit.Limit{{}}
			default:
				return nil
			}
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func TestAKeyHasTheLimitsOfItsTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k *ratelimit.Keyed[string]
		k = newTiered(t, 0, func(key string) { // it may call back, even for the same key
			if k.Stats().Keys == 0 && key == "ann" {
				if err := k.Charge("bob", 1); err != nil {
					t.Error(err)
				}
			}
		})
		for range 2 {
			if !k.Allow("ann") {
				t.Error("ann was denied one of two")
			}
		}
		if k.Allow("ann") {
			t.Error("ann got a third")
		}
		if r, err := k.Take("gold-1", 5); err != nil || !r.Allowed || r.Limit.Name != "gold" {
			t.Errorf("%+v, %v", r, err)
		}
		time.Sleep(time.Second)
		if r, err := k.Take("gold-1", 3); err != nil || !r.Allowed || r.Limit.Name != "gold" {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestAKeyIsAskedForWhenItHasNoBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(map[string]int)
		k := newTiered(t, 2, func(key string) { asked[key]++ })
		for range 10 {
			k.Allow("gold")
			k.Allow("ann")
		}
		if asked["gold"] != 1 || asked["ann"] != 1 {
			t.Errorf("asked %v", asked)
		}
		for _, key := range []string{"gold-2", "eve"} { // no place: the overflow bucket, which has the plain limits
			if r, err := k.Take(key, 1); err != nil || !r.Allowed || r.Limit.Tokens != 2 {
				t.Errorf("%s: %+v, %v", key, r, err)
			}
		}
		if k.Allow("gold-3") || asked["gold-2"]+asked["eve"]+asked["gold-3"] != 0 {
			t.Errorf("the overflow bucket gave three, or a key without a place was asked for: %v", asked)
		}
		if err := k.Charge("gold-4", 10); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second) // both are full, and the overflow bucket is not
		if k.AllowN("gold-3", 5) && !k.AllowN("gold", 5) {
			t.Error("full buckets made no place")
		}
		if s := k.Stats(); s.Overflowed != 3 || s.Keys > 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAnAnswerOfLimitsForThatIsNotValidIsAnError(t *testing.T) {
	k := newTiered(t, 0, func(string) {})
	_, err := k.Take("bad", 1)
	if err == nil || !strings.Contains(err.Error(), "joist/ratelimit: LimitsFor.Limits[0].Tokens is not set") {
		t.Errorf("%v", err)
	}
	if k.Allow("bad") || k.For("bad").Do(t.Context(), nothing) == nil || k.Charge("bad", 1) == nil {
		t.Error("allowed")
	}
	if s := k.Stats(); s != (ratelimit.KeyedStats{}) {
		t.Errorf("%+v", s)
	}
}

func TestALimitsForThatPanicsLeavesNothing(t *testing.T) {
	k := newTiered(t, 1, func(key string) {
		if key == "boom" {
			panic(key)
		}
	})
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not come through")
			}
		}()
		k.Allow("boom")
	}()
	if !k.Allow("ann") || k.Stats().Overflowed != 0 {
		t.Error("the place of a key whose limits are not known is taken, or a lock is held")
	}
}

func TestALimitThatIsSetForAKeyIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeyed(t, ratelimit.PerSecond(4), 3)
		k.AllowN("ann", 2)
		k.Allow("bob")
		if err := k.SetLimits("ann", []ratelimit.Limit{ratelimit.PerMinute(10), ratelimit.PerHour(30).Named("hour")}); err != nil {
			t.Fatal(err)
		}
		if r, err := k.Take("ann", 0); err != nil || r.Remaining != 5 || r.ResetAfter != 30*time.Second {
			t.Errorf("half of 10: %+v, %v", r, err)
		}
		if !k.AllowN("ann", 5) || k.Allow("ann") || !k.AllowN("bob", 3) || k.Allow("bob") {
			t.Error("not what each has")
		}
		if err := k.Refund("ann", 2); err != nil {
			t.Error(err)
		}
		if !k.AllowN("ann", 2) || k.Allow("ann") {
			t.Error("the refund is not there, or more")
		}
		time.Sleep(time.Second) // bob is full; ann needs two hours
		for _, key := range []string{"c", "d"} {
			if !k.AllowN(key, 4) {
				t.Errorf("%s has no bucket", key)
			}
		}
		if err := k.SetLimits("e", []ratelimit.Limit{ratelimit.PerHour(1)}); !errors.Is(err, ratelimit.ErrFull) {
			t.Errorf("a fourth key: %v", err)
		}
		if k.AllowN("ann", 5) {
			t.Error("ann was freed")
		}
		time.Sleep(24 * time.Hour)
		if err := k.SetLimits("e", []ratelimit.Limit{ratelimit.None()}); err != nil {
			t.Error(err)
		}
		if k.Allow("e") {
			t.Error("e has another limit")
		}
		if !k.AllowN("x", 4) || !k.AllowN("y", 4) || !k.AllowN("z", 4) || !k.AllowN("ann", 4) {
			t.Error("full buckets made no place, those with limits of their own included")
		}
	})
}

func TestAKeyOfAKeyedWithoutALimitMayHaveOne(t *testing.T) {
	k := newKeyed(t, ratelimit.Unlimited(), 0)
	if err := k.SetLimits("ann", []ratelimit.Limit{ratelimit.PerHour(1)}); err != nil {
		t.Fatal(err)
	}
	if !k.Allow("ann") || k.Allow("ann") || !k.AllowN("bob", 1e12) {
		t.Error("not what each has")
	}
}
