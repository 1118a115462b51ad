package limittest

import (
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// Each thing that can be wrong with an answer is a fault of its own: at a moment at which a has 3 of 10 tokens and b has 6
// of 8.
func TestTheModelTellsWhatIsWrongWithAnAnswer(t *testing.T) {
	a, b := ratelimit.PerSecond(10).Named("a"), ratelimit.PerSecond(5).WithBurst(8).Named("b")
	fa, fb := filled(a), filled(b)
	const ms = time.Millisecond
	for _, c := range []struct {
		n    int64
		r    ratelimit.Result
		want string // "" for an answer that is right
	}{
		{0, ratelimit.Result{Allowed: true, Remaining: 3, ResetAfter: 700 * ms, Limit: fa}, ""},
		{1, ratelimit.Result{Allowed: true, Remaining: 2, ResetAfter: 800 * ms, Limit: fa}, ""},
		{1, ratelimit.Result{Allowed: true, Remaining: 3, ResetAfter: 800 * ms, Limit: fa}, "Remaining is 3, want 2"},
		{1, ratelimit.Result{Allowed: true, Remaining: 2, ResetAfter: 800*ms + 1, Limit: fa}, "ResetAfter is"},
		{1, ratelimit.Result{Allowed: true, Remaining: 2, ResetAfter: 800 * ms, RetryAfter: 1, Limit: fa}, "it is allowed, and tells"},
		{1, ratelimit.Result{Allowed: true, Remaining: 5, ResetAfter: 600 * ms, Limit: fb}, "a has fewer tokens left"},
		{1, ratelimit.Result{Allowed: true, Remaining: 2, ResetAfter: 800 * ms, Limit: a}, "no such limit"},
		{1, ratelimit.Result{Allowed: true, Remaining: 2, ResetAfter: 800 * ms, Limit: fa, Degraded: true}, "it is degraded"},
		{0, ratelimit.Result{Remaining: 3, ResetAfter: 700 * ms, RetryAfter: 1, Limit: fa}, "a peek was denied"},
		{3, ratelimit.Result{Remaining: 3, ResetAfter: 700 * ms, RetryAfter: 1, Limit: fa}, "3 fit into a"},
		{4, ratelimit.Result{Remaining: 3, ResetAfter: 700 * ms, RetryAfter: 100 * ms, Limit: fa}, ""},
		{4, ratelimit.Result{Remaining: 3, ResetAfter: 700 * ms, RetryAfter: 100*ms - 1, Limit: fa}, "RetryAfter is"},
		{4, ratelimit.Result{Remaining: 3, ResetAfter: 700 * ms, RetryAfter: 100*ms + 1, Limit: fa}, "RetryAfter is"},
		{4, ratelimit.Result{Remaining: 3, ResetAfter: 700 * ms, Never: true, Limit: fa}, "a holds 10 tokens, and 4"},
		{4, ratelimit.Result{Allowed: true, Limit: fa}, "it was allowed, but a lacks tokens"},
		{8, ratelimit.Result{Remaining: 6, ResetAfter: 400 * ms, RetryAfter: 400 * ms, Limit: fb}, "it is a that denies it"},
		{9, ratelimit.Result{Remaining: 3, ResetAfter: 700 * ms, RetryAfter: 600 * ms, Limit: fa}, "it is b that denies it"},
		{9, ratelimit.Result{Remaining: 6, ResetAfter: 400 * ms, Never: true, Limit: fb}, ""},
		{11, ratelimit.Result{Allowed: true, Limit: fa}, "11 were allowed, which a never holds"},
		{11, ratelimit.Result{Remaining: 6, ResetAfter: 400 * ms, Never: true, Limit: fb}, "it is a that denies it"},
	} {
		m := newModel([]ratelimit.Limit{a, b}, Harness{Resolution: 1})
		m.full = []span{between(1700*ms, 1700*ms), between(1400*ms, 1400*ms)}
		fault := m.take(between(time.Second, time.Second), c.n, c.r)
		if c.want == "" && fault != "" || !strings.HasPrefix(fault, c.want) {
			t.Errorf("Take(%d) is %+v: %q, want %q", c.n, c.r, fault, c.want)
		}
	}
}

// Within bounds both answers may be right, and outside of them neither is.
func TestTheModelAcceptsWhatIsRightForAMomentOfTheCall(t *testing.T) {
	limit := filled(ratelimit.PerSecond(10))
	const ms = time.Millisecond
	at := between(time.Second, time.Second+20*ms)
	for _, c := range []struct {
		r    ratelimit.Result
		want string
	}{
		{ratelimit.Result{RetryAfter: 10 * ms, Remaining: 0, ResetAfter: 910 * ms, Limit: limit}, ""},
		{ratelimit.Result{RetryAfter: 1, Remaining: 0, ResetAfter: 900*ms + 1, Limit: limit}, ""},
		{ratelimit.Result{RetryAfter: 10*ms + 1, Remaining: 0, ResetAfter: 910 * ms, Limit: limit}, "RetryAfter is"},
		{ratelimit.Result{RetryAfter: 10 * ms, Remaining: 0, ResetAfter: 911 * ms, Limit: limit}, "ResetAfter is"},
		{ratelimit.Result{Allowed: true, Remaining: 0, ResetAfter: 1000 * ms, Limit: limit}, ""},
		{ratelimit.Result{Allowed: true, Remaining: 1, ResetAfter: 900 * ms, Limit: limit}, "Remaining is 1, want 0"},
	} {
		m := newModel([]ratelimit.Limit{limit}, Harness{Resolution: 1})
		m.full = []span{between(1910*ms, 1910*ms)}
		if fault := m.take(at, 1, c.r); c.want == "" && fault != "" || !strings.HasPrefix(fault, c.want) {
			t.Errorf("Take(1) is %+v: %q, want %q", c.r, fault, c.want)
		}
	}
}

// Of limits with as few tokens left the one is named that takes the longest to have more, which a full one never has, and of
// such the first. A chain names the first.
func TestTheModelTellsWhichOfTheLimitsWithAsFewTokensLeftIsNamed(t *testing.T) {
	fast, slow := ratelimit.PerSecond(10).WithBurst(4).Named("fast"), ratelimit.PerSecond(1).WithBurst(4).Named("slow")
	small := ratelimit.PerSecond(10).WithBurst(2).Named("small")
	const ms = time.Millisecond
	for _, c := range []struct {
		limits  []ratelimit.Limit
		missing []time.Duration
		inOrder bool
		want    string
	}{
		{[]ratelimit.Limit{fast, slow}, []time.Duration{200 * ms, 2000 * ms}, false, "slow"},
		{[]ratelimit.Limit{slow, fast}, []time.Duration{2000 * ms, 200 * ms}, false, "slow"},
		{[]ratelimit.Limit{fast, slow}, []time.Duration{200 * ms, 1099 * ms}, false, "fast"}, // slow has one in 99 ms
		{[]ratelimit.Limit{fast, slow}, []time.Duration{200 * ms, 1100 * ms}, false, "fast"}, // both in 100 ms
		{[]ratelimit.Limit{slow, fast}, []time.Duration{1100 * ms, 200 * ms}, false, "slow"},
		{[]ratelimit.Limit{slow, small}, []time.Duration{2000 * ms, 0}, false, "small"},
		{[]ratelimit.Limit{fast, slow}, []time.Duration{200 * ms, 2000 * ms}, true, "fast"},
	} {
		for i, l := range c.limits {
			m := newModel(c.limits, Harness{Resolution: 1, InOrder: c.inOrder})
			for j, missing := range c.missing {
				m.full[j] = between(time.Second+missing, time.Second+missing)
			}
			r := ratelimit.Result{Allowed: true, Remaining: 2, ResetAfter: c.missing[i], Limit: filled(l)}
			fault := m.take(between(time.Second, time.Second), 0, r)
			if named := fault == ""; named != (l.Name == c.want) {
				t.Errorf("%v lack %v, and %s is named: %q, want %s", c.limits, c.missing, l.Name, fault, c.want)
			}
		}
	}
}
