package limittest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// Harness is a Taker under test, and how its time passes. New is required; the rest is for a Taker that is not in virtual
// time, or not like a [ratelimit.Keyed].
type Harness struct {
	// New makes the Taker under test with full buckets of the given limits: for some tests more than once, and each time
	// with buckets of its own. It may fail the test. What it starts is stopped by t.Cleanup. Required.
	New func(t testing.TB, limits ...ratelimit.Limit) ratelimit.Taker

	// Shared tells that all keys have the same buckets, as those of [ratelimit.Limiter.Taker]. Otherwise keys must not
	// share.
	Shared bool

	// InOrder tells that limits are asked one after the other, as by [ratelimit.Chain]: a denial is that of the first
	// limit which denies. Otherwise it must be that of the one which denies the longest.
	InOrder bool

	// Sleep lets d or more pass on the Taker's clock: [time.Sleep] for a real clock, the advance of a clock that is set by
	// hand. It is called by one goroutine at a time. With nil, each test runs in a bubble of testing/synctest, and time is
	// that of package time there.
	Sleep func(d time.Duration)

	// Now reads the Taker's clock, or one that runs alike: only differences count. It is called before and after each
	// call, and whatever moment between the two the Taker went by is right. Default [time.Now], which runs alike with the
	// clock of a server on this machine or another, as long as nobody sets that one. Not looked at when Sleep is nil.
	Now func() time.Time

	// Resolution is what the Taker rounds times to: the clock down, and what it answers up. Default a nanosecond. Answers
	// are compared exactly then, if no time passes on the clock between the readings by Now.
	Resolution time.Duration

	// Second is how long what the suite takes for a second lasts: a second divided by a whole number. All limits and waits
	// are shortened alike, and loops are. Default a second, at which the suite lasts for minutes of the Taker's time. At 20
	// ms, for a real clock, it is over in 2 s. The buckets of some limits gain a token each tenth of it.
	Second time.Duration
}

// Charger is a [ratelimit.Taker] that can take what is not there.
type Charger interface {
	// Charge takes n tokens of key, into debt. It takes nothing and is not counted as a take when n is negative, which is
	// [ratelimit.ErrNegative], or when the debt would be too long to count, which is [ratelimit.ErrHorizon].
	Charge(ctx context.Context, key string, n int64) error
}

// Setter is a [ratelimit.Taker] whose limits can be set at run time.
type Setter interface {
	// SetLimits gives key other limits. Each bucket keeps the share to which the one of its limit's name was full, or
	// else the one that was the emptiest. Limits that are not valid are an error, and change nothing.
	SetLimits(ctx context.Context, key string, limits []ratelimit.Limit) error
}

// check tells what is wrong with h, and fills in what it leaves out.
func (h *Harness) check(t testing.TB) {
	t.Helper()
	if h.Now == nil || h.Sleep == nil {
		h.Now = time.Now
	}
	if h.Resolution == 0 {
		h.Resolution = 1
	}
	if h.Second == 0 {
		h.Second = time.Second
	}
	switch {
	case h.New == nil:
		t.Fatal("joist/limittest: Harness.New is not set, but it is required")
	case h.Resolution < 0:
		t.Fatalf("joist/limittest: Harness.Resolution is %v, but must not be negative", h.Resolution)
	case h.Second < 0 || h.Second > time.Second || time.Second%h.Second != 0:
		t.Fatalf("joist/limittest: Harness.Second is %v, but must be a second divided by a whole number", h.Second)
	}
}

// Run runs the suite as subtests of t. It fails t at once when h is not valid. It may be called from several tests at a
// time.
func Run(t *testing.T, h Harness) {
	t.Helper()
	h.check(t)
	for _, c := range contract {
		if c.keys && h.Shared {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			h.within(t, func(t testing.TB) { c.test(&suite{t: t, harness: h}) })
		})
	}
}

// within calls fn where the time of h passes.
func (h *Harness) within(t *testing.T, fn func(t testing.TB)) {
	t.Helper()
	if h.Sleep != nil {
		fn(t)
		return
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1234567 * time.Nanosecond) // no clock begins at a round time
		fn(t)
	})
}

// clause is one test of the suite.
type clause struct {
	name string
	test func(s *suite)
	keys bool // is about keys that do not share
}

// contract is the suite.
var contract = []clause{
	{name: "a burst, and then the rate to the nanosecond", test: burstThenRate},
	{name: "the answer of takes, denials and peeks", test: answers},
	{name: "a peek is always allowed and takes nothing", test: peeks},
	{name: "more than the burst never fits", test: never},
	{name: "a bad number is an error and takes nothing", test: negative},
	{name: "a context that has ended takes nothing", test: ended},
	{name: "a denial changes nothing", test: denials},
	{name: "a rate that no nanosecond divides does not drift", test: drift},
	{name: "three limits take all or nothing", test: allOrNothing},
	{name: "the limit that decides is named", test: binding},
	{name: "unlimited and none", test: ends},
	{name: "a shadow denies nothing", test: shadow},
	{name: "as the model, at random", test: asTheModel},
	{name: "at one moment no more than the burst", test: together},
	{name: "refunds are exact, and never above the burst", test: refunds},
	{name: "a charge goes into debt", test: charges},
	{name: "limits that are set in mid-fill", test: settings},
	{name: "keys do not share", test: keys, keys: true},
}
