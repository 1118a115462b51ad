package ratelimithttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

func ExampleMiddleware() {
	perClient, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Name:   "clients",
		Limits: []ratelimit.Limit{ratelimit.PerHour(2)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	limit := ratelimithttp.Middleware(ratelimit.TakerOf(perClient), ratelimithttp.Options{Key: ratelimithttp.ClientIP()})
	handler := limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))

	for range 3 {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		fmt.Printf("%d %s %q\n", w.Code, w.Header().Get("Ratelimit"), w.Header().Get("Retry-After"))
	}
	// Output:
	// 200 "default";r=1;t=1800 ""
	// 200 "default";r=0;t=1800 ""
	// 429 "default";r=0;t=1800 "1800"
}

// What a client sees that is refused.
func ExampleMiddleware_refusal() {
	perClient, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{ratelimit.None().Named("closed")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	limit := ratelimithttp.Middleware(ratelimit.TakerOf(perClient), ratelimithttp.Options{Key: ratelimithttp.ClientIP()})

	w := httptest.NewRecorder()
	limit(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	fmt.Println(w.Header().Get("RateLimit-Policy"), w.Header().Get("RateLimit"))
	fmt.Println(w.Body)
	// Output:
	// 429 application/problem+json
	// "closed";q=0 "closed";r=0
	// {"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request cannot be satisfied as assigned quota has been exceeded","status":429,"violated-policies":["closed"]}
}

func ExampleOptions() {
	perKey, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerHour(1).Named("per-key")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Requests without an API key share one bucket.
	limit := ratelimithttp.Middleware(ratelimit.TakerOf(perKey), ratelimithttp.Options{
		Name: "api",
		Key:  func(r *http.Request) string { return r.Header.Get("X-Api-Key") },
	})
	handler := limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))

	for _, key := range []string{"ann", "bob", "", ""} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Api-Key", key)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 200
	// 200
	// 429
}

func ExampleClientIP() {
	key := ratelimithttp.ClientIP()
	for _, remote := range []string{"192.0.2.1:50123", "[::ffff:192.0.2.1]:50123", "[2001:db8:1:2:3:4:5:6]:50123"} {
		fmt.Println(key(&http.Request{RemoteAddr: remote}))
	}
	// Output:
	// 192.0.2.1
	// 192.0.2.1
	// 2001:db8:1:2::/64
}
