package ratelimithttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

func ExampleClientIP_behindProxies() {
	key := ratelimithttp.ClientIP(netip.MustParsePrefix("10.0.0.0/8"))
	r := &http.Request{
		RemoteAddr: "10.0.0.1:4711", // the proxy
		Header: http.Header{"X-Forwarded-For": {
			"198.51.100.1",          // what the client says
			"203.0.113.7, 10.0.0.2", // what two proxies say
		}},
	}
	fmt.Println(key(r))
	r.RemoteAddr = "203.0.113.9:4711" // not a proxy
	fmt.Println(key(r))
	// Output:
	// 203.0.113.7
	// 203.0.113.9
}

func ExamplePattern() {
	perRoute := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{ratelimit.PerHour(1)}}))
	limit := ratelimithttp.Middleware(ratelimit.TakerOf(perRoute), ratelimithttp.Options{
		Key: ratelimithttp.Keys(ratelimithttp.Pattern(), ratelimithttp.ClientIP()), // of each client on each route
	})
	mux := http.NewServeMux() // the mux sets the pattern, so the limit is inside of it
	mux.Handle("GET /users/{id}", limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	mux.Handle("GET /orders/{id}", limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))

	for _, path := range []string{"/users/1", "/users/2", "/orders/1"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, w.Code)
	}
	// Output:
	// /users/1 200
	// /users/2 429
	// /orders/1 200
}

func ExampleFirstOf() {
	key := ratelimithttp.FirstOf(ratelimithttp.Header("X-User"), ratelimithttp.Cookie("session"), ratelimithttp.ClientIP())
	r := &http.Request{RemoteAddr: "192.0.2.1:4711", Header: http.Header{}}
	fmt.Println(key(r))
	r.Header.Set("Cookie", "session=abc")
	fmt.Println(key(r))
	r.Header.Set("X-User", "ann")
	fmt.Println(key(r))
	// Output:
	// 2:192.0.2.1
	// 1:abc
	// 0:ann
}

func ExampleKeys() {
	key := ratelimithttp.Keys(ratelimithttp.Header("X-Tenant"), ratelimithttp.Header("X-User"))
	r := &http.Request{Header: http.Header{"X-Tenant": {"acme"}, "X-User": {"ann"}}}
	fmt.Println(key(r))
	// Output:
	// 4:acme3:ann
}

func ExampleHeader() {
	key := ratelimithttp.Header("X-User") // which a proxy that has checked the user sets
	fmt.Printf("%q\n", key(&http.Request{Header: http.Header{"X-User": {"ann"}}}))
	fmt.Printf("%q\n", key(&http.Request{Header: http.Header{}}))
	// Output:
	// "ann"
	// ""
}

func ExampleCookie() {
	key := ratelimithttp.Cookie("session")
	fmt.Printf("%q\n", key(&http.Request{Header: http.Header{"Cookie": {"theme=dark; session=abc"}}}))
	fmt.Printf("%q\n", key(&http.Request{Header: http.Header{}}))
	// Output:
	// "abc"
	// ""
}
