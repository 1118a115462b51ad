package breakerhttp_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
)

func TestACallbackThatPanicsOrExitsLeavesNoResponseOpenAndCountsOnce(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		for callback, o := range map[string]breakerhttp.Options{
			"FailedResponse":    {FailedResponse: func(*http.Response) bool { leave(); return false }},
			"OnHostStateChange": {OnHostStateChange: func(string, breaker.Transition) { leave() }},
			"OnStateChange":     {Options: breaker.Options{OnStateChange: func(breaker.Transition) { leave() }}},
		} {
			t.Run(name+" in "+callback, func(t *testing.T) {
				b := &body{Reader: strings.NewReader("oops")}
				o.Base = roundTripper(func(*http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: http.StatusInternalServerError, Body: b}, nil
				})
				o.MinCalls = 1
				transport := newTransport(t, o)
				var wg sync.WaitGroup
				wg.Go(func() {
					defer func() { _ = recover() }() // the callback's panic
					req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.org", nil)
					res, err := transport.RoundTrip(req)
					t.Errorf("returned %v, %v", res, err)
				})
				wg.Wait()
				if !b.closed {
					t.Error("the response's body is open")
				}
				if s := transport.Stats(); s.Failures != 1 || s.Successes != 0 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}

func TestARequestWithoutAURLIsTheBasesToRefuse(t *testing.T) {
	transport := newTransport(t, breakerhttp.Options{Options: breaker.Options{MinCalls: 100}})
	b := &body{Reader: strings.NewReader("x")}
	if _, err := transport.RoundTrip(&http.Request{Method: http.MethodPost, Body: b}); err == nil || !b.closed {
		t.Errorf("%v, body closed: %v", err, b.closed)
	}
}

func TestABaseThatReturnsAResponseAndAnErrorHasTheResponseClosed(t *testing.T) {
	b := &body{Reader: strings.NewReader("x")}
	transport := newTransport(t, breakerhttp.Options{Base: roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: b}, io.ErrUnexpectedEOF
	})})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.org", nil)
	res, err := transport.RoundTrip(req)
	if res != nil || err != io.ErrUnexpectedEOF || !b.closed {
		t.Errorf("%v, %v, body closed: %v", res, err, b.closed)
	}
	wantOutcomes(t, transport, 0, 1, 0)
}
