package retryhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker/breakerhttp"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// tally counts what a base is given, and keeps the last error that it returned.
type tally struct {
	http.RoundTripper

	requests int
	err      error
}

func (c *tally) RoundTrip(req *http.Request) (*http.Response, error) {
	c.requests++
	resp, err := c.RoundTripper.RoundTrip(req)
	c.err = err
	return resp, err
}

// wantOnce sends req, which must end after one attempt, with the base's own error and without a wait.
func wantOnce(t *testing.T, base http.RoundTripper, req *http.Request) {
	t.Helper()
	seen := &tally{RoundTripper: base}
	transport, err := retryhttp.New(retryhttp.Options{
		Options: retry.Options{
			Backoff: retry.Constant(time.Hour).WithJitter(retry.None),
			OnRetry: func(_ context.Context, e retry.Event) { t.Errorf("waited %v after %v", e.Waited, e.Err) },
		},
		Base:        seen,
		OmitHeaders: true, // a header that is nil stays so
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(req.Context(), time.Minute) // less than a wait: a failure of this test does not hang
	defer cancel()
	resp, err := transport.RoundTrip(req.WithContext(ctx))
	if resp != nil {
		_ = resp.Body.Close()
		t.Fatalf("answered %s", resp.Status)
	}
	if err == nil || err != seen.err { //nolint:errorlint // unchanged
		t.Errorf("returned %v, and the base %v", err, seen.err)
	}
	if s := transport.Stats(); seen.requests != 1 || s.Permanent != 1 || s.Retries != 0 {
		t.Errorf("%d requests: %+v", seen.requests, s)
	}
}

func TestARequestThatCannotBeSentIsTriedOnceWithoutAWait(t *testing.T) {
	for name, spoil := range map[string]func(*http.Request){
		"no URL":         func(r *http.Request) { r.URL = nil },
		"no host":        func(r *http.Request) { r.URL.Host = "" },
		"unknown scheme": func(r *http.Request) { r.URL.Scheme = "htpp" },
		"no scheme":      func(r *http.Request) { r.URL.Scheme, r.URL.Host = "", "" },
		"field name":     func(r *http.Request) { r.Header.Set("X Typo", "1") },
		"field value":    func(r *http.Request) { r.Header.Set("X-Token", "secret\n") },
		"no header":      func(r *http.Request) { r.Header = nil },
		"trailer":        func(r *http.Request) { r.Trailer = http.Header{"X Typo": nil} },
		"method": func(r *http.Request) {
			r.Method = "P UT"
			r.Header["Idempotency-Key"] = []string{"7"} // otherwise it is not repeated anyway
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.org/", nil)
				spoil(req)
				offline := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
					return nil, errors.New("the request went to the network")
				}}
				before := time.Now()
				wantOnce(t, offline, req)
				inside, err := breakerhttp.New(breakerhttp.Options{Base: offline})
				if err != nil {
					t.Fatal(err)
				}
				wantOnce(t, inside, req)
				if took := time.Since(before); took != 0 {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// Against a server, because net/http looks at these only when it has a connection.
func TestALengthWithoutABodyIsTriedOnce(t *testing.T) {
	s := newServer(t, unavailable(0))
	for _, length := range []int64{-1, 7} {
		base := &http.Transport{}
		t.Cleanup(base.CloseIdleConnections)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL, nil)
		req.ContentLength = length
		wantOnce(t, base, req)
	}
	if got := s.got(); len(got) != 0 {
		t.Errorf("the server had %d requests", len(got))
	}
}

func TestABaseThatKnowsTheSchemeIsRepeatedAndAnswers(t *testing.T) {
	memory := func() http.RoundTripper {
		requests := 0
		return base(func(*http.Request) (*http.Response, error) {
			if requests++; requests < 3 {
				return nil, errors.New("memory: connection reset")
			}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("fine"))}, nil
		})
	}
	registered := &http.Transport{}
	registered.RegisterProtocol("memory", memory())
	for name, base := range map[string]http.RoundTripper{"its own": memory(), "registered": registered} {
		synctest.Test(t, func(t *testing.T) {
			client := newClient(t, retryhttp.Options{Base: base})
			resp, err := client.Get("memory://a/b")
			if status, body := read(t, resp, err); status != http.StatusOK || body != "fine" {
				t.Errorf("%s: got %d %q", name, status, body)
			}
		})
	}
}

// A base that resolves paths against its service makes requests whole, and what fails then is the network.
func TestABaseThatPutsTheHostBeforeThePathIsRepeated(t *testing.T) {
	down := errors.New("connection reset")
	requests := 0
	transport, err := retryhttp.New(retryhttp.Options{
		Options: retry.Options{Backoff: fast},
		Base: base(func(*http.Request) (*http.Response, error) {
			requests++
			return nil, fmt.Errorf("users: %w", down)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/users/7", nil)
	if _, err := transport.RoundTrip(req); !errors.Is(err, down) || requests != retry.DefaultMaxAttempts { //nolint:bodyclose // none
		t.Errorf("%d requests, %v", requests, err)
	}
}
