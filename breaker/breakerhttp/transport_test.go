package breakerhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
	"github.com/joist-go/joist/internal/roguehttp"
)

func newTransport(t *testing.T, o breakerhttp.Options) *breakerhttp.Transport {
	t.Helper()
	if o.MinCalls == 0 {
		o.MinCalls = 1
	}
	if o.OpenFor == 0 {
		o.OpenFor, o.MaxOpenFor = time.Minute, time.Minute
	}
	if o.Base == nil {
		base := http.DefaultTransport.(*http.Transport).Clone()
		t.Cleanup(base.CloseIdleConnections)
		o.Base = base
	}
	transport, err := breakerhttp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return transport
}

// serve starts a server that answers with h, and returns its URL.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func answer(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func get(t *testing.T, transport http.RoundTripper, url string) error {
	t.Helper()
	res, err := (&http.Client{Transport: transport}).Get(url)
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	return err
}

// wantOutcomes checks what the transport counted.
func wantOutcomes(t *testing.T, transport *breakerhttp.Transport, successes, failures, ignored int64) {
	t.Helper()
	if s := transport.Stats(); s.Successes != successes || s.Failures != failures || s.Ignored != ignored {
		t.Fatalf("%d successes, %d failures, %d ignored; want %d, %d, %d", s.Successes, s.Failures, s.Ignored, successes, failures, ignored)
	}
}

func TestAHostThatFailsIsRefusedAndOthersAreNot(t *testing.T) {
	down, well := serve(t, answer(http.StatusInternalServerError)), serve(t, answer(http.StatusOK))
	transport := newTransport(t, breakerhttp.Options{Options: breaker.Options{Name: "test", MinCalls: 3}})
	for range 3 {
		if err := get(t, transport, down); err != nil {
			t.Fatal(err)
		}
	}
	err := get(t, transport, down)
	open, ok := errors.AsType[*breaker.OpenError](err)
	if !ok || !errors.Is(err, breaker.ErrOpen) || open.Name != "test" || open.RetryAfter() <= 59*time.Second {
		t.Fatalf("the fourth request returned %v, want an OpenError with about a minute to wait", err)
	}
	if err := get(t, transport, well); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(down, "http://")
	if transport.Host(host).State() != breaker.Open {
		t.Errorf("Host(%q) is %v", host, transport.Host(host).State())
	}
}

func TestStatus500AndAboveIsAFailureAndLessIsNone(t *testing.T) {
	for status, failure := range map[int]bool{
		200: false, 204: false, 302: false, 400: false, 404: false, 429: false, 499: false, 500: true, 502: true, 503: true, 599: true,
	} {
		transport := newTransport(t, breakerhttp.Options{})
		if err := get(t, transport, serve(t, answer(status))); err != nil && status != 302 {
			t.Fatal(err)
		}
		want := int64(0)
		if failure {
			want = 1
		}
		if s := transport.Stats(); s.Failures != want || s.Successes != 1-want {
			t.Errorf("status %d: %+v", status, s)
		}
	}
}

func TestFailedResponseDecides(t *testing.T) {
	transport := newTransport(t, breakerhttp.Options{
		Options:        breaker.Options{IsFailure: func(error) bool { return false }}, // about transport errors only
		FailedResponse: func(r *http.Response) bool { return r.StatusCode == http.StatusTeapot },
	})
	if err := get(t, transport, serve(t, answer(http.StatusBadGateway))); err != nil {
		t.Fatal(err)
	}
	if err := get(t, transport, serve(t, answer(http.StatusTeapot))); err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, transport, 1, 1, 0)
	if err := get(t, transport, "http://127.0.0.1:1"); err == nil {
		t.Fatal("something listens on port 1")
	}
	wantOutcomes(t, transport, 2, 1, 0)
}

func TestATransportErrorIsAFailure(t *testing.T) {
	transport := newTransport(t, breakerhttp.Options{})
	url := "http://" + roguehttp.Nobody(t)
	if err := get(t, transport, url); err == nil || errors.Is(err, breaker.ErrOpen) {
		t.Fatal(err)
	}
	wantOutcomes(t, transport, 0, 1, 0)
	if err := get(t, transport, url); !errors.Is(err, breaker.ErrOpen) {
		t.Fatal(err)
	}
}

func TestTheCallersOwnCancellationIsIgnoredAndItsDeadlineIsAFailure(t *testing.T) {
	arrived := make(chan struct{}, 1)
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	transport := newTransport(t, breakerhttp.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if _, err := transport.RoundTrip(req); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	wantOutcomes(t, transport, 0, 0, 1)
	client := &http.Client{Transport: transport, Timeout: 20 * time.Millisecond}
	if _, err := client.Get(url); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	wantOutcomes(t, transport, 0, 1, 1)
	if _, err := transport.RoundTrip(req); !errors.Is(err, context.Canceled) { // ended before the call
		t.Fatal(err)
	}
	wantOutcomes(t, transport, 0, 1, 1)
}

// body notes that it was closed.
type body struct {
	io.Reader
	closed bool
}

func (b *body) Close() error { b.closed = true; return nil }

func TestARefusalClosesTheRequestsBody(t *testing.T) {
	url := serve(t, answer(http.StatusInternalServerError))
	transport := newTransport(t, breakerhttp.Options{})
	if err := get(t, transport, url); err != nil {
		t.Fatal(err)
	}
	b := &body{Reader: strings.NewReader("hello")}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, b)
	if _, err := transport.RoundTrip(req); !errors.Is(err, breaker.ErrOpen) {
		t.Fatal(err)
	}
	if !b.closed {
		t.Error("the body is open")
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestABaseThatPanicsOrExitsIsAFailure(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		transport := newTransport(t, breakerhttp.Options{
			Options: breaker.Options{IsFailure: func(error) bool { return false }},
			Base:    roundTripper(func(*http.Request) (*http.Response, error) { leave(); return nil, nil }),
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() { _ = recover() }()
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.org", nil)
			_, _ = transport.RoundTrip(req)
		})
		wg.Wait()
		if s := transport.Stats(); s.Failures != 1 || s.Open != 1 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestABaseThatReturnsNothingIsAFailure(t *testing.T) {
	transport := newTransport(t, breakerhttp.Options{
		Base: roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil }),
	})
	if err := get(t, transport, "http://example.org"); err == nil || errors.Is(err, breaker.ErrOpen) {
		t.Fatal(err)
	}
	wantOutcomes(t, transport, 0, 1, 0)
}

func TestTheNumberOfHostsIsBounded(t *testing.T) {
	transport := newTransport(t, breakerhttp.Options{
		MaxHosts: 5,
		Base: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		}),
	})
	for i := range 1000 {
		if err := get(t, transport, "https://host-"+strings.Repeat("x", i%60)+".example/"); err != nil {
			t.Fatal(err)
		}
	}
	if s := transport.Stats(); s.Closed != 5 || s.Successes != 1000 {
		t.Errorf("%+v", s)
	}
}

func TestTheModeOfAllHostsChangesAtRunTime(t *testing.T) {
	transport := newTransport(t, breakerhttp.Options{Options: breaker.Options{MinCalls: 1, OpenFor: time.Hour, MaxOpenFor: time.Hour, Mode: breaker.Observe}})
	down, well := serve(t, answer(http.StatusServiceUnavailable)), serve(t, answer(http.StatusOK))
	for range 2 {
		if err := get(t, transport, down); err != nil {
			t.Errorf("a host that is observed: %v", err)
		}
	}
	transport.SetMode(breaker.Normal)
	if err := get(t, transport, down); !errors.Is(err, breaker.ErrOpen) || transport.Mode() != breaker.Normal {
		t.Errorf("got %v in mode %v, want a refusal", err, transport.Mode())
	}
	transport.SetMode(breaker.ForcedOpen)
	if err := get(t, transport, well); !errors.Is(err, breaker.ErrOpen) { // a host that is new
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestTheListenerLearnsTheHost(t *testing.T) {
	url := serve(t, answer(http.StatusInternalServerError))
	var told []string
	transport := newTransport(t, breakerhttp.Options{
		OnHostStateChange: func(host string, t breaker.Transition) { told = append(told, host+" "+t.To.String()) },
	})
	if err := get(t, transport, url); err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimPrefix(url, "http://") + " open"; len(told) != 1 || told[0] != want {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestNewReportsEveryFaultAtOnce(t *testing.T) {
	_, err := breakerhttp.New(breakerhttp.Options{MaxHosts: -1, Options: breaker.Options{MinCalls: -1, Probes: -2}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"joist/breakerhttp: Options.MaxHosts is -1, but", "MinCalls is -1, but", "Probes is -2, but"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no fault says %q: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "MaxKeys") {
		t.Errorf("a field that Options has not: %v", err)
	}
	if _, err := breakerhttp.New(breakerhttp.Options{}); err != nil {
		t.Errorf("the zero Options: %v", err)
	}
}

type idleCloser struct {
	roundTripper
	closed *bool
}

func (c idleCloser) CloseIdleConnections() { *c.closed = true }

func TestCloseIdleConnectionsReachesTheBase(t *testing.T) {
	var closed bool
	transport := newTransport(t, breakerhttp.Options{Base: idleCloser{closed: &closed}})
	(&http.Client{Transport: transport}).CloseIdleConnections()
	if !closed {
		t.Error("not closed")
	}
	newTransport(t, breakerhttp.Options{Base: roundTripper(nil)}).CloseIdleConnections() // cannot, and does not mind
}
