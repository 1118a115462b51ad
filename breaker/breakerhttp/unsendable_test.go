package breakerhttp_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
)

func TestARequestThatCannotBeSentIsNoFailureOfTheHost(t *testing.T) {
	for name, spoil := range map[string]func(*http.Request){
		"no URL":         func(r *http.Request) { r.URL = nil },
		"no host":        func(r *http.Request) { r.URL.Host = "" },
		"unknown scheme": func(r *http.Request) { r.URL.Scheme = "htpp" },
		"method":         func(r *http.Request) { r.Method = "P UT" },
		"field name":     func(r *http.Request) { r.Header.Set("X Typo", "1") },
		"field value":    func(r *http.Request) { r.Header.Set("X-Token", "secret\n") },
	} {
		t.Run(name, func(t *testing.T) {
			transport := newTransport(t, breakerhttp.Options{Options: breaker.Options{
				IsFailure: func(err error) bool { t.Errorf("asked about %v", err); return true },
			}})
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.org/", nil)
			spoil(req)
			_, own := (&http.Transport{}).RoundTrip(req) //nolint:bodyclose // none
			for range 3 {
				_, err := transport.RoundTrip(req) //nolint:bodyclose // none
				if err == nil || err.Error() != own.Error() || errors.Unwrap(err) != nil {
					t.Fatalf("got %v, want %v", err, own)
				}
			}
			wantOutcomes(t, transport, 0, 0, 3)
			if s := transport.Stats(); s.Closed != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestAProbeThatCannotBeSentLeavesItsPlaceToAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := http.StatusInternalServerError
		transport := newTransport(t, breakerhttp.Options{
			Options: breaker.Options{Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second},
			Base: roundTripper(func(r *http.Request) (*http.Response, error) {
				if r.Header["X Typo"] != nil {
					return nil, errors.New("this base has words of its own")
				}
				return &http.Response{StatusCode: status, Body: http.NoBody}, nil
			}),
		})
		if err := get(t, transport, "http://example.org/"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // of the bubble: the breaker has been open for long enough
		status = http.StatusOK
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.org/", nil)
		req.Header["X Typo"] = []string{"1"}
		if _, err := transport.RoundTrip(req); err == nil || errors.Is(err, breaker.ErrOpen) { //nolint:bodyclose // none
			t.Fatalf("the probe got %v", err)
		}
		host := transport.Host("example.org:80")
		if host.State() != breaker.HalfOpen {
			t.Fatalf("is %v after it", host.State())
		}
		if err := get(t, transport, "http://example.org/"); err != nil {
			t.Fatalf("the next probe got %v", err)
		}
		if host.State() != breaker.Closed {
			t.Errorf("is %v after a probe that succeeded", host.State())
		}
	})
}
