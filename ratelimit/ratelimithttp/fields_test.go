package ratelimithttp

import (
	"math"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/ratelimit"
)

func TestPoliciesOfCommonLimits(t *testing.T) {
	for want, l := range map[string]ratelimit.Limit{
		`"default";q=100;w=60`:                     ratelimit.PerMinute(100),
		`"burst";q=100;w=1`:                        ratelimit.PerSecond(100).WithBurst(20).Named("burst"),
		`"default";q=100;w=10`:                     ratelimit.PerSecond(10).WithBurst(100),
		`"daily";q=1;w=87`:                         ratelimit.PerDay(1000).WithBurst(1).Named("daily"),
		`"default";q=1;w=90`:                       ratelimit.Every(90 * time.Second),
		`"default";q=10;w=1`:                       ratelimit.Every(100 * time.Millisecond),
		`"default";q=1000000000;w=1`:               ratelimit.PerSecond(1e9),
		`"default";q=999999999999999;w=2305843010`: {Tokens: 1 << 61, Per: 1 << 61, Burst: 1 << 61}, // more than the field holds
		`"default";q=1;w=2`:                        {Tokens: 3, Per: 3e9 + 1, Burst: 1},             // a third of a nanosecond above one second
		`"a\"\\ b";q=1;w=1`:                        ratelimit.PerSecond(1).Named(`a"\ b`),
		``:                                         ratelimit.Unlimited(),
		`"default";q=0`:                            ratelimit.None(),
	} {
		if l.Name == "" {
			l.Name = "default"
		}
		if l.Burst == 0 {
			l.Burst = l.Tokens
		}
		if got := newPolicy(l, "").field; got != want {
			t.Errorf("%v: %s, want %s", l, got, want)
		}
	}
}

func TestTheQuotaIsWhatComesInWhileTheBucketFills(t *testing.T) {
	ceil := func(a, b *big.Int) *big.Int {
		return new(big.Int).Div(new(big.Int).Sub(new(big.Int).Add(a, b), big.NewInt(1)), b)
	}
	second, most := big.NewInt(int64(time.Second)), big.NewInt(maxInteger)
	rapid.Check(t, func(t *rapid.T) {
		l := ratelimit.Limit{
			Name:   "x",
			Tokens: rapid.Int64Range(1, 1e9).Draw(t, "tokens"),
			Per:    time.Duration(rapid.Int64Range(1e9, 1e15).Draw(t, "per")),
			Burst:  rapid.OneOf(rapid.Int64Range(1, 1000), rapid.Int64Range(1, 1e12)).Draw(t, "burst"),
		}
		tokens, per, size := big.NewInt(l.Tokens), big.NewInt(int64(l.Per)), big.NewInt(l.Burst)
		window := ceil(new(big.Int).Mul(size, per), new(big.Int).Mul(tokens, second))
		if window.Cmp(big.NewInt(int64(1<<61/time.Second))) > 0 {
			return // it takes longer to fill than a block allows
		}
		quota := new(big.Int).Mul(new(big.Int).Mul(tokens, window), second)
		if quota.Div(quota, per).Cmp(most) > 0 {
			quota = most
		}
		if q, w := quotaOf(l); q != quota.Int64() || w != window.Int64() || q < min(l.Burst, maxInteger) {
			t.Fatalf("%v: q=%d;w=%d, want q=%v;w=%v", l, q, w, quota, window)
		}
	})
}

func TestFewPoliciesAreKeptAndThoseOutOfUseMakeRoom(t *testing.T) {
	ps := newPolicies(nil)
	limit := func(n int64) ratelimit.Limit {
		return ratelimit.Limit{Name: "x", Tokens: n, Per: time.Second, Burst: n}
	}
	for n := range int64(maxKnown) {
		ps.of(limit(n + 1))
	}
	first := ps.of(limit(1))
	if ps.of(limit(1)) != first {
		t.Error("a limit is not known the second time")
	}
	for n := range int64(forgetAfter - maxKnown - 1) {
		if ps.of(limit(1000 + n)); len(*ps.known.Load()) != maxKnown {
			t.Fatalf("%d policies are kept", len(*ps.known.Load()))
		}
	}
	latest := ps.of(limit(1e6))
	if ps.of(limit(1e6)) != latest || ps.of(limit(1)) == first {
		t.Error("a limit that came late is not kept, or one out of use is")
	}
}

// Two requests may add a policy to the same list: the one whose list is lost must not change the other's.
func TestAListOfPoliciesIsNeverWritten(t *testing.T) {
	ps := newPolicies(nil)
	for n := range int64(maxKnown - 1) {
		before := ps.known.Load()
		one := ps.of(ratelimit.Limit{Name: "one", Tokens: 1, Per: 1, Burst: n + 1})
		seen := *ps.known.Load()
		ps.known.Store(before)
		ps.of(ratelimit.Limit{Name: "other", Tokens: 1, Per: 1, Burst: n + 1})
		if seen[len(seen)-1] != one {
			t.Fatalf("the list of %d policies has changed", len(seen))
		}
	}
}

// What a foreign taker may answer must not break the fields either.
func TestStrangeResultsGiveNoBrokenFields(t *testing.T) {
	for _, l := range []ratelimit.Limit{
		{},
		{Name: "ä", Tokens: 1, Per: 1, Burst: 1},
		{Name: "x", Tokens: -7, Per: -7, Burst: -7},
		{Name: "x", Tokens: math.MaxInt64, Per: 1, Burst: math.MaxInt64},
		{Name: "x", Tokens: 1, Per: math.MaxInt64, Burst: math.MaxInt64},
	} {
		p := newPolicy(l, "")
		for _, res := range []ratelimit.Result{
			{Allowed: true, Remaining: math.MaxInt64, ResetAfter: math.MaxInt64, Limit: l},
			{Allowed: true, Remaining: -1, ResetAfter: -1, Limit: l},
			{RetryAfter: math.MaxInt64, Limit: l},
			{RetryAfter: -5, Limit: l},
		} {
			h := http.Header{}
			p.setFields(h, new(values), res)
			for field := range h {
				if v := h.Get(field); strings.Contains(v, "=-") || strings.ContainsAny(v, "ä") || !strings.HasPrefix(v, `"`) {
					t.Errorf("%+v, %+v: %s: %s", l, res, field, v)
				}
			}
		}
	}
}

func FuzzString(f *testing.F) {
	for _, seed := range []string{"", "default", `"`, `\`, `a\"b`, "ä", "\n", "\x7f"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted, ok := appendString(nil, s)
		if printable := strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0; ok != printable {
			t.Fatalf("%q: %v", s, ok)
		}
		back := scanner{rest: string(quoted)}
		if item := back.item(); ok && (back.failed || back.rest != "" || item.kind != stringItem || item.text != s) {
			t.Errorf("%q became %s, which is %q", s, quoted, item.text)
		}
	})
}
