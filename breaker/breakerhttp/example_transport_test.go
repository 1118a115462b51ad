package breakerhttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
)

func ExampleTransport() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()

	transport, err := breakerhttp.New(breakerhttp.Options{
		Options: breaker.Options{Name: "users-api", MinCalls: 2, OpenFor: time.Minute},
	})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: transport}
	for range 3 {
		res, err := client.Get(server.URL)
		if err != nil {
			open, isOpen := errors.AsType[*breaker.OpenError](err)
			fmt.Println(isOpen, open.RetryAfter() > 0)
			continue
		}
		fmt.Println(res.Status)
		res.Body.Close()
	}
	// Output:
	// 503 Service Unavailable
	// 503 Service Unavailable
	// true true
}

// A server that answers 403 when it is overloaded.
func ExampleOptions() {
	transport, err := breakerhttp.New(breakerhttp.Options{
		Options: breaker.Options{Name: "legacy", MinCalls: 1},
		FailedResponse: func(r *http.Response) bool {
			return r.StatusCode == http.StatusForbidden || r.StatusCode >= 500
		},
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	res, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		panic(err)
	}
	res.Body.Close()
	fmt.Println(transport.Stats().Open)
	// Output: 1
}

// A host that answers, but too late to be of use.
func ExampleOptions_slow() {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		time.Sleep(20 * time.Millisecond)
	}))
	defer server.Close()
	transport, err := breakerhttp.New(breakerhttp.Options{Options: breaker.Options{
		Name:      "reports",
		MinCalls:  2,
		SlowCall:  10 * time.Millisecond, // until the header is there
		SlowRatio: 0.8,
	}})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: transport}
	for range 3 {
		res, err := client.Get(server.URL)
		if err != nil {
			fmt.Println(errors.Is(err, breaker.ErrOpen))
			continue
		}
		fmt.Println(res.Status)
		res.Body.Close()
	}
	// Output:
	// 200 OK
	// 200 OK
	// true
}

// A new breaker looks on first. What it would have refused is counted; when that looks right, it is switched on.
func ExampleTransport_SetMode() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()

	transport, err := breakerhttp.New(breakerhttp.Options{
		Options: breaker.Options{Name: "users-api", MinCalls: 2, OpenFor: time.Minute, Mode: breaker.Observe},
	})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: transport}
	get := func() {
		res, err := client.Get(server.URL)
		if err != nil {
			fmt.Println("refused:", errors.Is(err, breaker.ErrOpen))
			return
		}
		fmt.Println(res.Status)
		res.Body.Close()
	}
	for range 3 {
		get()
	}
	fmt.Println("would have refused:", transport.Stats().Spared)
	transport.SetMode(breaker.Normal)
	get()
	// Output:
	// 503 Service Unavailable
	// 503 Service Unavailable
	// 503 Service Unavailable
	// would have refused: 1
	// refused: true
}
