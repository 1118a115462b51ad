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
