//go:build !race

package ratelimithttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

func TestARequestWithTheLegacyFieldsCostsFourAllocations(t *testing.T) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	h := ratelimithttp.Middleware(ratelimit.TakerOf(newKeyed(t, ratelimit.PerSecond(1e9))), ratelimithttp.Options{
		Key: ratelimithttp.ClientIP(proxies...), LegacyFields: true, Policies: []ratelimit.Limit{ratelimit.PerSecond(1e9), ratelimit.PerHour(1)},
	})(next)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header["X-Forwarded-For"] = []string{"198.51.100.1", "203.0.113.7, 10.0.0.2"}
	w := sink{make(http.Header)}
	if n := testing.AllocsPerRun(1000, func() { clear(w.header); h.ServeHTTP(w, r) }); n > 4 {
		t.Errorf("%v allocations, want at most 4", n)
	}
}

func TestALimitOfItsOwnForEachKeyCostsFourAllocations(t *testing.T) {
	results := make([]ratelimit.Result, 100)
	for i := range results {
		n := int64(i + 1)
		results[i] = ratelimit.Result{Allowed: true, Limit: ratelimit.Limit{Name: "tier", Tokens: n, Per: 60e9, Burst: n}}
	}
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	h := ratelimithttp.Middleware(answers(results...), ratelimithttp.Options{Key: ratelimithttp.ClientIP()})(next)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	w := sink{make(http.Header)}
	if n := testing.AllocsPerRun(10_000, func() { clear(w.header); h.ServeHTTP(w, r) }); n > 4 {
		t.Errorf("%v allocations, want at most 4", n)
	}
}

func TestKeysCostAsManyAllocationsAsTheySay(t *testing.T) {
	user, ip, route := ratelimithttp.Header("X-User"), ratelimithttp.ClientIP(proxies...), ratelimithttp.Pattern()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr, r.Pattern = "10.0.0.1:1", "GET /"
	r.Header["X-User"] = []string{"ann"}
	r.Header["Forwarded"] = []string{`for=198.51.100.1, for="203.0.113.7:80";proto=https`}
	for name, tt := range map[string]struct {
		key  func(*http.Request) string
		most float64
	}{
		"Header": {user, 0}, "Pattern": {route, 0}, "ClientIP": {ip, 0}, "Keys": {ratelimithttp.Keys(user, route, ip), 2}, "FirstOf": {ratelimithttp.FirstOf(user, ip), 1},
	} {
		if n := testing.AllocsPerRun(1000, func() { _ = tt.key(r) }); n > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", name, n, tt.most)
		}
	}
}

func TestARequestCostsAFewAllocations(t *testing.T) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, tt := range map[string]struct {
		limit ratelimit.Limit
		most  float64
	}{
		"allowed": {ratelimit.PerSecond(1e9), 2},
		"denied":  {ratelimit.PerHour(1), 4},
	} {
		h := limit(t, tt.limit, next)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		w := sink{make(http.Header)}
		if n := testing.AllocsPerRun(1000, func() { clear(w.header); h.ServeHTTP(w, r) }); n > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", name, n, tt.most)
		}
	}
}
