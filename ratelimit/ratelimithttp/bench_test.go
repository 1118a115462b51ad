package ratelimithttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

// sink is a response writer that costs nothing.
type sink struct{ header http.Header }

func (s sink) Header() http.Header         { return s.header }
func (s sink) Write(b []byte) (int, error) { return len(b), nil }
func (s sink) WriteHeader(int)             {}

func BenchmarkMiddleware(b *testing.B) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, l := range map[string]ratelimit.Limit{"allowed": ratelimit.PerSecond(1e9), "denied": ratelimit.PerHour(1)} {
		b.Run(name, func(b *testing.B) {
			h := limit(b, l, next)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			w := sink{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}

func BenchmarkMiddlewareBehindProxies(b *testing.B) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	limits := []ratelimit.Limit{ratelimit.PerSecond(1e9).Named("burst"), ratelimit.PerDay(1e13).Named("daily")}
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits})
	if err != nil {
		b.Fatal(err)
	}
	h := ratelimithttp.Middleware(ratelimit.TakerOf(k), ratelimithttp.Options{
		Key: ratelimithttp.ClientIP(proxies...), Policies: limits, LegacyFields: true,
	})(next)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header["X-Forwarded-For"] = []string{"198.51.100.1", "203.0.113.7, 10.0.0.2"}
	w := sink{make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// More limits than are known.
func BenchmarkMiddlewareOfManyTiers(b *testing.B) {
	results := make([]ratelimit.Result, 1000)
	for i := range results {
		n := int64(i + 1)
		results[i] = ratelimit.Result{Allowed: true, Remaining: n - 1, ResetAfter: 1e9, Limit: ratelimit.Limit{Name: "tier", Tokens: n, Per: 60e9, Burst: n}}
	}
	h := ratelimithttp.Middleware(answers(results...), ratelimithttp.Options{Key: ratelimithttp.ClientIP()})(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	w := sink{make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}
