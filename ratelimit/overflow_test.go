package ratelimit_test

import (
	"testing"

	"github.com/joist-go/joist/ratelimit"
)

// A peek tells what a take of the same key would meet.
func TestAPeekOfAKeyWithoutAPlaceTellsHowTheOverflowBucketStands(t *testing.T) {
	k := newKeyed(t, ratelimit.PerHour(3), 1)
	k.Allow("a")
	k.AllowN("b", 2)
	if r, err := k.Take("c", 0); err != nil || !r.Allowed || r.Remaining != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if s := k.Stats(); s.Overflowed != 1 || s.Allowed != 2 {
		t.Errorf("a peek was counted: %+v", s)
	}
}

// Neither its own buckets, which are full, nor the overflow bucket, from which others take.
func TestARefundOfAKeyWithoutABucketGivesNothingToAnyone(t *testing.T) {
	plain := []ratelimit.Limit{ratelimit.PerHour(2)}
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: plain, MaxKeys: 1, LimitsFor: func(string) []ratelimit.Limit { return plain },
	})
	if err != nil {
		t.Fatal(err)
	}
	k.Allow("a")
	k.AllowN("b", 2) // by the overflow bucket
	if err := k.Refund("b", 2); err != nil || k.Allow("c") {
		t.Errorf("the overflow bucket was given tokens, or %v", err)
	}
}
