package retryhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// A server behind the edge believes its peers: it knows what is a retry, and until when the caller waits.
func ExampleHandler() {
	n := 0
	server := httptest.NewServer(retryhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deadline, limited := r.Context().Deadline()
		fmt.Println("attempt", retry.Attempt(r.Context()), limited, time.Until(deadline) <= time.Minute)
		if n++; n == 1 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
		}
	})))
	defer server.Close()
	client := &http.Client{Transport: must(retryhttp.New(retryhttp.Options{Options: retry.Options{
		Backoff: retry.Exponential(time.Millisecond, time.Second),
	}}))}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	resp := must(client.Do(must(http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil))))
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output:
	// attempt 1 true true
	// attempt 2 true true
	// 200
}

// What others are told can be switched off.
func ExampleOptions_omitHeaders() {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Printf("%q\n", r.Header.Get(retryhttp.TimeoutHeader))
	}))
	defer server.Close()
	client := &http.Client{Transport: must(retryhttp.New(retryhttp.Options{
		Options:     retry.Options{AttemptTimeout: time.Minute},
		OmitHeaders: true,
	}))}

	resp := must(client.Get(server.URL))
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output:
	// ""
	// 200
}
