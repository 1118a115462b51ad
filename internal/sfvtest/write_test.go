package sfvtest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dunglas/httpsfv"
	"pgregory.net/rapid"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

// drawLimit draws a limit that a block takes: from one token in 11 days to a million per second.
func drawLimit(t *rapid.T) ratelimit.Limit {
	name := rapid.StringOfN(rapid.RuneFrom(nil, asciiTable), 1, 128, -1).Draw(t, "name")
	if rapid.IntRange(0, 9).Draw(t, "end") == 0 {
		return rapid.SampledFrom([]ratelimit.Limit{ratelimit.Unlimited(), ratelimit.None()}).Draw(t, "which").Named(name)
	}
	return ratelimit.Limit{
		Name:   name,
		Tokens: rapid.Int64Range(1, 1000).Draw(t, "tokens"),
		Per:    time.Duration(rapid.Int64Range(1e6, 1e15).Draw(t, "per")),
		Burst:  rapid.Int64Range(1, 1000).Draw(t, "burst"),
		Shadow: rapid.IntRange(0, 9).Draw(t, "shadow") == 0,
	}
}

// list parses a field that must be a List of Strings with parameters.
func list(t *rapid.T, h http.Header, field string) []httpsfv.Item {
	members, err := httpsfv.UnmarshalList(h.Values(field))
	if err != nil {
		t.Fatalf("%s: %q: %v", field, h.Values(field), err)
	}
	items := make([]httpsfv.Item, len(members))
	for i, m := range members {
		item, ok := m.(httpsfv.Item)
		if !ok {
			t.Fatalf("%s: %q: member %d is an inner list", field, h.Values(field), i)
		}
		if _, ok = item.Value.(string); !ok {
			t.Fatalf("%s: %q: member %d is no String", field, h.Values(field), i)
		}
		items[i] = item
	}
	return items
}

// integer returns a parameter that must be an Integer of least or more, if it is there.
func integer(t *rapid.T, item httpsfv.Item, name string, least int64) (int64, bool) {
	value, there := item.Params.Get(name)
	n, ok := value.(int64)
	if there && (!ok || n < least) {
		t.Fatalf("%v: %s is %v", item, name, value)
	}
	return n, there
}

// Whatever the limits are, several of a block and one middleware in another, and whatever was taken when: the fields parse, and nobody is told to
// come back before there is more.
func TestTheFieldsParseAndRetryAfterIsNeverBeforeT(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		layers := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.Custom(drawLimit), 1, 3, func(l ratelimit.Limit) string { return l.Name }), 1, 3).Draw(rt, "layers")
		told := rapid.Bool().Draw(rt, "policies")
		pauses := rapid.SliceOfN(rapid.Int64Range(0, 1e10), 1, 20).Draw(rt, "pauses")
		legacy := rapid.Bool().Draw(rt, "legacy")
		synctest.Test(t, func(t *testing.T) {
			var h http.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			for _, limits := range layers {
				k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits})
				if err != nil {
					rt.Fatal(err)
				}
				o := ratelimithttp.Options{Key: ratelimithttp.ClientIP(), LegacyFields: legacy}
				if told {
					o.Policies = limits
				}
				h = ratelimithttp.Middleware(ratelimit.TakerOf(k), o)(h)
			}
			for _, pause := range pauses {
				time.Sleep(time.Duration(pause))
				check(rt, h)
			}
		})
	})
}

// The same for whatever a foreign taker answers.
func TestTheFieldsOfAnyResultParse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := ratelimit.Limit{
			Name: rapid.String().Draw(rt, "name"), Tokens: rapid.Int64().Draw(rt, "tokens"),
			Per: time.Duration(rapid.Int64().Draw(rt, "per")), Burst: rapid.Int64().Draw(rt, "burst"),
		}
		res := ratelimit.Result{
			Allowed: rapid.Bool().Draw(rt, "allowed"), Remaining: rapid.Int64().Draw(rt, "remaining"),
			RetryAfter: time.Duration(rapid.Int64().Draw(rt, "retry")), ResetAfter: time.Duration(rapid.Int64().Draw(rt, "reset")), Limit: limit,
		}
		check(rt, ratelimithttp.Middleware(answer(res), ratelimithttp.Options{Key: ratelimithttp.ClientIP(), LegacyFields: true})(
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	})
}

type answer ratelimit.Result

func (a answer) Take(context.Context, string, int64) (ratelimit.Result, error) {
	return ratelimit.Result(a), nil
}

func check(t *rapid.T, h http.Handler) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	told := map[any]int64{} // the largest quota by name: layers may have limits of one name
	for _, policy := range list(t, w.Header(), "RateLimit-Policy") {
		quota, there := integer(t, policy, "q", 0)
		if !there {
			t.Fatalf("%v has no q", policy)
		}
		told[policy.Value] = max(told[policy.Value], quota)
		integer(t, policy, "w", 1)
	}
	retryAfter, err := strconv.ParseInt(w.Header().Get("Retry-After"), 10, 64)
	refused := err == nil
	if refused && (w.Code != http.StatusTooManyRequests || retryAfter < 1) {
		t.Fatalf("status %d with Retry-After %d", w.Code, retryAfter)
	}
	for _, state := range list(t, w.Header(), "RateLimit") {
		r, there := integer(t, state, "r", 0)
		if _, policy := told[state.Value]; !there || !policy {
			t.Fatalf("%v has no r, or its policy is not told: %v", state, told)
		}
		if left, _ := integer(t, state, "t", 0); refused && retryAfter < left {
			t.Fatalf("Retry-After %d beside %v", retryAfter, w.Header())
		}
		if quota := told[state.Value]; r > quota {
			t.Fatalf("%d remain of a quota of %d: %v", r, quota, w.Header())
		}
	}
	if w.Code == http.StatusTooManyRequests && !json.Valid(w.Body.Bytes()) {
		t.Fatalf("the problem is %s", w.Body)
	}
}
