package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

func TestEachKeyHasABucketOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeyed(t, ratelimit.PerSecond(10).WithBurst(3), 0)
		for _, key := range []string{"a", "b", ""} {
			if !k.AllowN(key, 2) || !k.Allow(key) || k.Allow(key) {
				t.Errorf("key %q did not have 3 tokens", key)
			}
		}
		time.Sleep(100 * time.Millisecond)
		if !k.Allow("a") || k.Allow("a") {
			t.Error("a token did not come after 100 ms")
		}
		r, err := k.Take("b", 2)
		want := ratelimit.Result{
			Remaining: 1, RetryAfter: 100 * time.Millisecond, ResetAfter: 200 * time.Millisecond,
			Limit: ratelimit.Limit{Name: "default", Tokens: 10, Per: time.Second, Burst: 3},
		}
		if err != nil || r != want {
			t.Errorf("%+v, %v, want %+v", r, err, want)
		}
		if got, want := k.Stats(), (ratelimit.KeyedStats{Allowed: 7, Denied: 5, Keys: 3}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

func TestKeysOfAnyComparableTypeAreToldApart(t *testing.T) {
	type user struct {
		tenant string
		id     int
		flags  any
	}
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[user]{Limits: []ratelimit.Limit{ratelimit.PerHour(1)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []user{{"a", 1, nil}, {"a", 2, nil}, {"b", 1, nil}, {"a", 1, 7}, {"a", 1, "7"}} {
		if !k.Allow(u) || k.Allow(u) {
			t.Errorf("%v was not limited by itself", u)
		}
	}
}

func TestNeitherAPeekNorWhatNeverFitsMakesABucket(t *testing.T) {
	k := newKeyed(t, ratelimit.PerHour(5), 0)
	if r, err := k.Take("a", 0); err != nil || !r.Allowed || r.Remaining != 5 || r.ResetAfter != 0 {
		t.Errorf("a peek: %+v, %v", r, err)
	}
	if r, err := k.Take("a", 6); err != nil || r.Allowed || !r.Never || r.Remaining != 5 {
		t.Errorf("6 of 5: %+v, %v", r, err)
	}
	if _, err := k.Take("a", -1); !errors.Is(err, ratelimit.ErrNegative) || k.AllowN("a", -1) || !k.AllowN("a", 0) {
		t.Errorf("-1: %v", err)
	}
	if got, want := k.Stats(), (ratelimit.KeyedStats{Denied: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestAKeyedWithoutALimitKeepsNoKeys(t *testing.T) {
	all, none := newKeyed(t, ratelimit.Unlimited(), 0), newKeyed(t, ratelimit.None(), 0)
	for i := range 100 {
		key := strconv.Itoa(i)
		if r, err := all.Take(key, math.MaxInt64); err != nil || !r.Allowed {
			t.Fatalf("Unlimited: %+v, %v", r, err)
		}
		if r, err := none.Take(key, 1); err != nil || r.Allowed || !r.Never {
			t.Fatalf("None: %+v, %v", r, err)
		}
	}
	if all.Stats().Keys != 0 || none.Stats().Keys != 0 {
		t.Errorf("%+v, %+v", all.Stats(), none.Stats())
	}
}

func TestAFullBucketMakesPlaceForANewKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeyed(t, ratelimit.PerSecond(1), 3)
		k.Allow("a")
		time.Sleep(time.Second / 2)
		k.Allow("b")
		k.Allow("c")
		time.Sleep(time.Second / 2) // a is full, b and c are not
		if !k.Allow("d") || k.Allow("d") {
			t.Error("d did not get a bucket")
		}
		if k.Allow("b") || k.Allow("c") {
			t.Error("a key in debt was freed")
		}
		if s := k.Stats(); s.Overflowed != 0 || s.Keys != 3 {
			t.Errorf("%+v", s)
		}
	})
}

func TestNewKeysShareTheOverflowBucketWhenAllAreInDebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeyed(t, ratelimit.PerSecond(2), 2)
		for _, key := range []string{"a", "a", "b", "b"} {
			if !k.Allow(key) {
				t.Fatalf("%s was denied its burst", key)
			}
		}
		if !k.Allow("c") || !k.Allow("d") || k.Allow("e") || k.Allow("c") {
			t.Error("c, d and e did not share two tokens")
		}
		if r, err := k.Take("f", 1); err != nil || r.Allowed || r.RetryAfter != time.Second/2 || r.Remaining != 0 {
			t.Errorf("the overflow bucket answers %+v, %v", r, err)
		}
		if k.Allow("a") || k.Allow("b") {
			t.Error("a key in debt was freed")
		}
		if s := k.Stats(); s.Overflowed != 5 || s.Keys != 2 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)
		if !k.AllowN("e", 2) || k.Allow("e") {
			t.Error("e did not get a bucket of its own when there was a place")
		}
	})
}

func TestTheVerbOfAKey(t *testing.T) {
	k := newKeyed(t, ratelimit.PerHour(1), 0)
	failed := errors.New("failed")
	a := k.For("a")
	if k.Stats().Keys != 0 {
		t.Error("For made a bucket")
	}
	if err := a.Do(t.Context(), func(context.Context) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("Do returned %v", err)
	}
	err := a.Do(t.Context(), func(context.Context) error { t.Error("the call was made"); return nil })
	if limited, ok := errors.AsType[*ratelimit.LimitedError](err); !ok || limited.Name != "test" || limited.Result.RetryAfter <= 0 {
		t.Errorf("Do returned %v", err)
	}
	v, err := ratelimit.DoValueFor(t.Context(), k, "b", func(context.Context) (int, error) { return 7, nil })
	if v != 7 || err != nil {
		t.Errorf("DoValueFor returned %v, %v", v, err)
	}
	v, err = ratelimit.DoValueFor(t.Context(), k, "b", func(context.Context) (int, error) { return 7, nil })
	if v != 0 || !errors.Is(err, ratelimit.ErrLimited) {
		t.Errorf("DoValueFor returned %v, %v", v, err)
	}
}

func TestATakerTakesFromItsKeyed(t *testing.T) {
	k := newKeyed(t, ratelimit.PerHour(2), 0)
	taker := ratelimit.TakerOf(k)
	if r, err := taker.Take(t.Context(), "a", 2); err != nil || !r.Allowed {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := taker.Take(t.Context(), "a", 1); err != nil || r.Allowed || r.RetryAfter <= 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := taker.Take(t.Context(), "a", -1); !errors.Is(err, ratelimit.ErrNegative) {
		t.Errorf("-1: %v", err)
	}
	if k.Allow("a") || !k.Allow("b") {
		t.Error("the taker has buckets of its own")
	}
	defer func() {
		if recover() == nil {
			t.Error("TakerOf(nil) did not panic")
		}
	}()
	ratelimit.TakerOf(nil)
}
