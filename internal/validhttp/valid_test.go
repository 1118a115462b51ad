package validhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/joist-go/joist/internal/roguehttp"
	"github.com/joist-go/joist/internal/validhttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faults are ways to spoil a request that would have been fine.
var faults = map[string]func(*http.Request){
	"no URL":                        func(r *http.Request) { r.URL = nil },
	"no header":                     func(r *http.Request) { r.Header = nil },
	"no host":                       func(r *http.Request) { r.URL.Host = "" },
	"no scheme":                     func(r *http.Request) { r.URL.Scheme = "" },
	"unknown scheme":                func(r *http.Request) { r.URL.Scheme = "htpp" },
	"method":                        func(r *http.Request) { r.Method = "GET /" },
	"field name":                    func(r *http.Request) { r.Header["X Typo"] = []string{"1"} },
	"several field names":           func(r *http.Request) { r.Header["a b"], r.Header["c d"], r.Header["é"] = nil, nil, nil },
	"field value":                   func(r *http.Request) { r.Header["X-Token"] = []string{"fine", "secret\n"} },
	"name of a trailer":             func(r *http.Request) { r.Trailer = http.Header{"X Typo": nil} },
	"length without a body":         func(r *http.Request) { r.ContentLength = 7 },
	"negative length, without body": func(r *http.Request) { r.ContentLength = -1 },
	"control character":             func(r *http.Request) { r.URL.Opaque = "//example.org/\x01" },
}

func request(t *testing.T, to string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// roundTrip returns the error of base, which must have one.
func roundTrip(t *testing.T, base http.RoundTripper, req *http.Request) error {
	t.Helper()
	resp, err := base.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatalf("answered %s", resp.Status)
	}
	return err
}

func client(t *testing.T, base *http.Transport) *http.Transport {
	t.Helper()
	t.Cleanup(base.CloseIdleConnections)
	return base
}

// The transport is the real one, so that a version of Go that checks otherwise shows here.
func TestWhatNetHTTPDoesNotSendIsUnsendable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	for name, spoil := range faults {
		t.Run(name, func(t *testing.T) {
			base := client(t, &http.Transport{})
			req := request(t, s.URL)
			spoil(req)
			err := roundTrip(t, base, req)
			if !validhttp.Unsendable(req, err) {
				t.Errorf("not told of %v", err)
			}
			if wrapped := fmt.Errorf("signing: %w", err); !validhttp.Unsendable(req, wrapped) {
				t.Errorf("not told of %v", wrapped)
			}
		})
	}
}

// A request that is refused while it is written may come back as one whose connection is closed.
func TestAClosedConnectionIsTheFaultOfWhatCannotBeWritten(t *testing.T) {
	closed := &net.OpError{Op: "read", Err: net.ErrClosed}
	for name, spoil := range map[string]func(*http.Request){"length": faults["length without a body"], "control": faults["control character"]} {
		req := request(t, "http://example.org/")
		if validhttp.Unsendable(req, closed) {
			t.Errorf("%s: told of a request without a fault", name)
		}
		if spoil(req); !validhttp.Unsendable(req, closed) {
			t.Errorf("%s: not told", name)
		}
	}
}

func TestAFailureOfTheNetworkIsNoFaultOfTheRequest(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		for _, body := range []string{"", "text"} {
			req := request(t, scheme+"://"+roguehttp.Nobody(t)+"/path?q=1")
			req.Header.Set("X-Token", "secret")
			req.Trailer = http.Header{"X-Sum": nil}
			if body != "" {
				req.Method, req.Body, req.ContentLength = http.MethodPut, io.NopCloser(strings.NewReader(body)), -1
			}
			err := roundTrip(t, client(t, &http.Transport{}), req)
			if validhttp.Unsendable(req, err) {
				t.Errorf("told of %v", err)
			}
		}
	}
	req := request(t, "http://example.org/")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if validhttp.Unsendable(req.WithContext(ctx), context.Canceled) {
		t.Error("told of a cancellation")
	}
}

// A base may mend a URL, and then fail as any other. It cannot mend what is no HTTP.
func TestABaseThatMendsTheURLIsNotBlamedOnIt(t *testing.T) {
	down := errors.New("connection reset")
	unmendable := map[string]bool{"method": true, "field name": true, "several field names": true, "field value": true, "name of a trailer": true}
	for name, spoil := range faults {
		req := request(t, "http://example.org/")
		spoil(req)
		if got := validhttp.Unsendable(req, down); got != unmendable[name] {
			t.Errorf("%s: told %v for another error", name, got)
		}
		if validhttp.Unsendable(req, nil) {
			t.Errorf("%s: told of no error", name)
		}
	}
}

func TestFieldsOfAnotherSchemeAreBetweenTheCallerAndTheBase(t *testing.T) {
	req := request(t, "memory://a/b")
	req.Header[":path"] = []string{"/b"}
	if validhttp.Unsendable(req, errors.New("memory: down")) {
		t.Error("told of an error of the base")
	}
}

func TestTheRequestIsLeftAsItIs(t *testing.T) {
	body := &watched{Reader: strings.NewReader("text")}
	req := request(t, "http://example.org/")
	req.Method, req.Body, req.ContentLength = http.MethodPut, body, 4
	before := fmt.Sprint(req.Method, req.URL, req.Header, req.Host, req.ContentLength, req.Context())
	validhttp.Unsendable(req, errors.New("down"))
	if after := fmt.Sprint(req.Method, req.URL, req.Header, req.Host, req.ContentLength, req.Context()); after != before {
		t.Errorf("%s became %s", before, after)
	}
	if body.touched {
		t.Error("the body was touched")
	}
	if validhttp.Unsendable(req, net.ErrClosed) {
		t.Error("a length with a body is taken for one without")
	}
}

// watched notes that it was read or closed.
type watched struct {
	io.Reader
	touched bool
}

func (w *watched) Read(p []byte) (int, error) { w.touched = true; return w.Reader.Read(p) }
func (w *watched) Close() error               { w.touched = true; return nil }

func BenchmarkUnsendable(b *testing.B) {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://example.org/", nil)
	if err != nil {
		b.Fatal(err)
	}
	down := errors.New("connection reset")
	b.ReportAllocs()
	for b.Loop() {
		if validhttp.Unsendable(req, down) {
			b.Fatal("told")
		}
	}
}
