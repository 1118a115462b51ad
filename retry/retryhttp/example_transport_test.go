package retryhttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// must is for programs that cannot start without v.
func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// flaky is a server that answers every first attempt with 503.
func flaky() *httptest.Server {
	n := 0
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 1 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "%s done", r.Method)
	}))
}

func ExampleTransport() {
	server := flaky()
	defer server.Close()
	transport := must(retryhttp.New(retryhttp.Options{Options: retry.Options{
		Name:    "users-api",
		Backoff: retry.Exponential(time.Millisecond, time.Second),
	}}))
	client := &http.Client{Transport: transport}

	resp := must(client.Get(server.URL))
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, string(must(io.ReadAll(resp.Body))))
	fmt.Println(transport.Stats().Recovered)
	// Output:
	// 200 GET done
	// 1
}

// A POST is sent once, unless the server can tell a repetition by its key.
func ExampleTransport_idempotencyKey() {
	server := flaky()
	defer server.Close()
	client := &http.Client{Transport: must(retryhttp.New(retryhttp.Options{Options: retry.Options{
		Backoff: retry.Exponential(time.Millisecond, time.Second),
	}}))}

	req := must(http.NewRequest(http.MethodPost, server.URL, strings.NewReader(`{"item": 7}`)))
	req.Header.Set("Idempotency-Key", "f2b0c1d4")
	resp := must(client.Do(req))
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)

	resp = must(client.Post(server.URL, "application/json", strings.NewReader(`{"item": 7}`)))
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output:
	// 200
	// 503
}

func ExampleOptions() {
	server := flaky()
	defer server.Close()
	transport := must(retryhttp.New(retryhttp.Options{
		Options: retry.Options{
			Name:           "users-api",
			MaxAttempts:    4,
			Backoff:        retry.Exponential(time.Millisecond, time.Second),
			AttemptTimeout: time.Second,
		},
		Base:     &http.Transport{MaxConnsPerHost: 100, IdleConnTimeout: time.Minute},
		Statuses: []int{http.StatusServiceUnavailable},
	}))
	defer transport.CloseIdleConnections()

	resp := must((&http.Client{Transport: transport}).Get(server.URL))
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output: 200
}

func ExampleStatusError() {
	server := flaky()
	defer server.Close()
	client := &http.Client{Transport: must(retryhttp.New(retryhttp.Options{Options: retry.Options{
		Backoff: retry.Exponential(time.Millisecond, time.Second),
		Retryable: func(err error) bool {
			status, ok := errors.AsType[*retryhttp.StatusError](err)
			return !ok || status.StatusCode != http.StatusServiceUnavailable
		},
	}}))}

	resp := must(client.Get(server.URL))
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output: 503
}
