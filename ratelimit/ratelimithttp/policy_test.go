package ratelimithttp_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

// answers is a Taker that gives one answer after the other, and begins anew.
func answers(results ...ratelimit.Result) ratelimit.Taker {
	at := 0
	return takerFunc(func(context.Context, string, int64) (ratelimit.Result, error) {
		res := results[at%len(results)]
		at++
		return res, nil
	})
}

var (
	burst = ratelimit.Limit{Name: "burst", Tokens: 100, Per: 60e9, Burst: 100}
	daily = ratelimit.Limit{Name: "daily", Tokens: 1000, Per: 86400e9, Burst: 1000}
	other = ratelimit.Limit{Name: "other", Tokens: 1, Per: 1e9, Burst: 1}
)

func TestAllPoliciesAreToldAndTheOneThatDecidedStands(t *testing.T) {
	taker := answers(
		ratelimit.Result{Allowed: true, Remaining: 50, ResetAfter: 30e9, Limit: burst},
		ratelimit.Result{RetryAfter: 80e9, ResetAfter: 86400e9, Limit: daily},
		ratelimit.Result{Allowed: true, Limit: other, ResetAfter: 1e9},
		ratelimit.Result{Allowed: true},
	)
	h := ratelimithttp.Middleware(taker, ratelimithttp.Options{
		Key: literal("k"),
		Policies: []ratelimit.Limit{
			ratelimit.PerMinute(100).Named("burst"), ratelimit.PerDay(1000).Named("daily"), ratelimit.Unlimited(),
		},
	})(hello)
	const both = `"burst";q=100;w=60, "daily";q=1000;w=86400`
	for range 2 {
		for i, want := range []struct{ policy, state, violated string }{
			{both, `"burst";r=50;t=1`, ""},
			{both, `"daily";r=0;t=80`, `"violated-policies":["daily"]`},
			{both + `, "other";q=1;w=1`, `"other";r=0;t=1`, ""},
			{both, ``, ""},
		} {
			w := serve(h, "192.0.2.1:1")
			if got := w.Header().Get("Ratelimit-Policy"); got != want.policy {
				t.Errorf("answer %d: RateLimit-Policy %s, want %s", i, got, want.policy)
			}
			if got := w.Header().Get("Ratelimit"); got != want.state {
				t.Errorf("answer %d: RateLimit %s, want %s", i, got, want.state)
			}
			if !strings.Contains(w.Body.String(), want.violated) {
				t.Errorf("answer %d: %s", i, w.Body)
			}
		}
	}
}

func TestAShadowIsNotTold(t *testing.T) {
	shadow := burst
	shadow.Shadow = true
	h := ratelimithttp.Middleware(answers(ratelimit.Result{Allowed: true, Limit: shadow}), ratelimithttp.Options{
		Key: literal("k"), Policies: []ratelimit.Limit{shadow, daily}, LegacyFields: true,
	})(hello)
	got := serve(h, "192.0.2.1:1").Header()
	if fmt.Sprint(got["Ratelimit-Policy"]) != `["daily";q=1000;w=86400]` || got["Ratelimit"] != nil || got["X-Ratelimit-Limit"] != nil {
		t.Errorf("%v", got)
	}
}

func TestALimitOfSeveralRefusesWithItsNameAndItsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := []ratelimit.Limit{ratelimit.PerMinute(2).Named("burst"), ratelimit.PerDay(3).Named("daily")}
		k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits})
		if err != nil {
			t.Fatal(err)
		}
		h := ratelimithttp.Middleware(ratelimit.TakerOf(k), ratelimithttp.Options{Key: ratelimithttp.ClientIP(), Policies: limits})(hello)
		for i, want := range []string{
			`200 "burst";r=1;t=30 [] `, `200 "burst";r=0;t=30 [] `, `429 "burst";r=0;t=30 [30] ["burst"]`,
			`200 "daily";r=0;t=28740 [] `, `429 "daily";r=0;t=28680 [28680] ["daily"]`,
		} {
			w := serve(h, "192.0.2.1:1")
			_, violated, _ := strings.Cut(w.Body.String(), `"violated-policies":`)
			got := fmt.Sprint(w.Code, " ", w.Header().Get("Ratelimit"), " ", w.Header()["Retry-After"], " ", strings.TrimRight(violated, "}\n"))
			if got != want || w.Header().Get("Ratelimit-Policy") != `"burst";q=2;w=60, "daily";q=3;w=86400` {
				t.Errorf("answer %d: %s, want %s; %v", i, got, want, w.Header())
			}
			if i >= 2 {
				time.Sleep(time.Minute)
			}
		}
	})
}

func TestManyGoroutinesAreToldTheirOwnLimit(t *testing.T) {
	taker := takerFunc(func(_ context.Context, key string, _ int64) (ratelimit.Result, error) {
		return ratelimit.Result{Allowed: true, Limit: ratelimit.PerHour(int64(len(key))).WithBurst(int64(len(key))).Named("x")}, nil
	})
	h := ratelimithttp.Middleware(taker, ratelimithttp.Options{Key: func(r *http.Request) string { return r.RemoteAddr }})(hello)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 200 {
				n := 1 + (g*7+i)%24
				want := fmt.Sprintf(`"x";q=%d;w=3600`, n)
				if got := serve(h, strings.Repeat("k", n)).Header().Get("Ratelimit-Policy"); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
		})
	}
	all.Wait()
}

func TestManyLimitsAreToldAsTheyAre(t *testing.T) {
	var results []ratelimit.Result
	for i := range 50 {
		results = append(results, ratelimit.Result{Allowed: true, Limit: ratelimit.PerHour(int64(i + 1)).WithBurst(int64(i + 1)).Named("tier")})
	}
	h := ratelimithttp.Middleware(answers(results...), ratelimithttp.Options{Key: literal("k")})(hello)
	for range 2 {
		for i := range results {
			want := fmt.Sprintf(`"tier";q=%d;w=3600`, i+1)
			if got := serve(h, "192.0.2.1:1").Header().Get("Ratelimit-Policy"); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
}

func TestLegacyFieldsAreThereWhenAskedFor(t *testing.T) {
	legacy := func(l ratelimit.Limit, next http.Handler) http.Handler {
		return ratelimithttp.Middleware(ratelimit.TakerOf(newKeyed(t, l)), ratelimithttp.Options{Key: literal("k"), LegacyFields: true})(next)
	}
	fields := func(h http.Handler) string {
		header := serve(h, "192.0.2.1:1").Header()
		return fmt.Sprint(header["X-Ratelimit-Limit"], header["X-Ratelimit-Remaining"], header["X-Ratelimit-Reset"])
	}
	for name, tt := range map[string]struct {
		handler http.Handler
		want    []string
	}{
		"one limit":             {legacy(ratelimit.PerHour(2), hello), []string{"[2] [1] [1800]", "[2] [0] [3600]", "[2] [0] [3600]"}},
		"the outer one is less": {legacy(ratelimit.PerHour(2), legacy(ratelimit.PerHour(9), hello)), []string{"[2] [1] [1800]"}},
		"the inner one is less": {legacy(ratelimit.PerHour(9), legacy(ratelimit.PerHour(2), hello)), []string{"[2] [1] [1800]"}},
		"both are the same":     {legacy(ratelimit.PerHour(2), legacy(ratelimit.PerHour(4).WithBurst(2), hello)), []string{"[2] [1] [1800]"}},
		"no number":             {legacy(ratelimit.Unlimited(), hello), []string{"[] [] []"}},
		"nothing":               {legacy(ratelimit.None(), hello), []string{"[0] [0] [0]"}},
		"not asked for":         {limit(t, ratelimit.PerHour(2), hello), []string{"[] [] []"}},
	} {
		var got []string
		for range tt.want {
			got = append(got, fields(tt.handler))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestAPanicLeavesTheMiddlewareAndTheLimitAsTheyAre(t *testing.T) {
	h := limit(t, ratelimit.PerHour(2), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the handler") }))
	panics := 0
	request := func() (code int) {
		defer func() {
			if recover() != nil {
				panics++
			}
		}()
		return serve(h, "192.0.2.1:1").Code
	}
	for range 2 {
		request()
	}
	if code := request(); code != http.StatusTooManyRequests || panics != 2 {
		t.Errorf("%d panics, then status %d: what a request took stays taken, and the next one is judged", panics, code)
	}
}
