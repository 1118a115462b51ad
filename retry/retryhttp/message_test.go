package retryhttp_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist/internal/roguehttp"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// What follows is about what belongs to a message beside its status: its body, Expect: 100-continue, and trailers.

func TestABodyIsReplayedByteByByteWithALengthAndInChunks(t *testing.T) {
	want := roguehttp.Bytes(1 << 20)
	for name, length := range map[string]int64{"with a length": int64(len(want)), "in chunks": -1} {
		t.Run(name, func(t *testing.T) {
			s := roguehttp.Serve(t, func(c *roguehttp.Conn) {
				switch c.N {
				case 1: // reset in the middle of the body
					r, _ := c.Head()
					_, _ = io.CopyN(io.Discard, r.Body, 100<<10)
					c.Reset()
				case 2:
					c.Request()
					c.Send(unavailableHead + "Content-Length: 0\r\n\r\n")
					c.Request()
					c.Reset()
				default:
					c.Fine()
				}
			})
			client := newClient(t, retryhttp.Options{
				Options: retry.Options{MaxAttempts: 5, Budget: retry.NoBudget},
				Base:    roguehttp.Watch(t, &http.Transport{MaxConnsPerHost: 1}),
			})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL, bytes.NewReader(want))
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = length
			resp, err := client.Do(req)
			if status, body := read(t, resp, err); status != 200 || body != "fine" {
				t.Errorf("got %d %q", status, body)
			}
			requests := s.Requests()
			if len(requests) != 3 {
				t.Fatalf("%d whole requests, want 3", len(requests))
			}
			for i, r := range requests {
				if r.Body != string(want) || r.ContentLength != length {
					t.Errorf("request %d has %d bytes, announced as %d, or others", i+1, len(r.Body), r.ContentLength)
				}
			}
		})
	}
}

// counting is a body that counts the bytes that were read of all its copies.
type counting struct {
	io.Reader
	n *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// net/http sends the body in spite of the answer if the connection can be used again only so.
func TestAServerThatAnswersInsteadOfSayingContinueIsNotSentTheBody(t *testing.T) {
	for name, c := range map[string]struct {
		key  string // the Idempotency-Key
		want string
		sent int64 // bytes of bodies
	}{
		"a POST with an Idempotency-Key is repeated": {"7", "200 fine", 5},
		"a POST without one is not":                  {"", "503 soon", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			s := roguehttp.Serve(t, func(conn *roguehttp.Conn) {
				r, ok := conn.Head()
				if !ok {
					return
				}
				if r.Header.Get("Expect") != "100-continue" {
					t.Errorf("the header is %v", r.Header)
				}
				if conn.N == 1 {
					conn.Send(unavailableHead + "Connection: close\r\nContent-Length: 4\r\n\r\nsoon")
					return
				}
				conn.Send("HTTP/1.1 100 Continue\r\n\r\n")
				conn.Body(r)
				conn.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
				conn.Fine()
			})
			client := newClient(t, retryhttp.Options{
				Options: retry.Options{AttemptTimeout: 10 * time.Second},
				Base:    roguehttp.Watch(t, &http.Transport{ExpectContinueTimeout: time.Minute}),
			})
			body := func() (io.ReadCloser, error) {
				return io.NopCloser(counting{strings.NewReader("order"), &sent}), nil
			}
			first, _ := body()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, first)
			if err != nil {
				t.Fatal(err)
			}
			req.GetBody, req.ContentLength = body, 5
			req.Header.Set("Expect", "100-continue")
			if c.key != "" {
				req.Header.Set("Idempotency-Key", c.key)
			}
			resp, err := client.Do(req)
			if status, body := read(t, resp, err); resp.Status[:3]+" "+body != c.want {
				t.Errorf("got %d %q, want %q", status, body, c.want)
			}
			if sent.Load() != c.sent {
				t.Errorf("%d bytes of the body were read, want %d", sent.Load(), c.sent)
			}
			for _, r := range s.Requests() {
				if r.Body != "order" {
					t.Errorf("the server read %q", r.Body)
				}
			}
		})
	}
}

func TestTrailersOfTheAnswerThatIsReturnedSurvive(t *testing.T) {
	handler := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "body")
			w.Header().Set("X-Sum", "7")
		}
	}
	for name, c := range map[string]struct {
		status int
		max    int
		budget *retry.Budget
	}{
		"of a success":                             {200, 3, retry.NoBudget},
		"of the last attempt's answer":             {503, 2, retry.NoBudget},
		"of an answer that was read to be retried": {503, 3, noRetries(t)},
	} {
		for proto, server := range map[string]func(*testing.T, http.HandlerFunc) (string, *http.Transport){
			"HTTP/1.1": func(t *testing.T, h http.HandlerFunc) (string, *http.Transport) {
				s := newServer(t, func(_ int, w http.ResponseWriter, r *http.Request) { h(w, r) })
				return s.URL, &http.Transport{}
			},
			"HTTP/2": func(t *testing.T, h http.HandlerFunc) (string, *http.Transport) { return newServer2(t, h), http2() },
		} {
			t.Run(name+" over "+proto, func(t *testing.T) {
				url, base := server(t, handler(c.status))
				client := newClient(t, retryhttp.Options{
					Options: retry.Options{MaxAttempts: c.max, Budget: c.budget, AttemptTimeout: 10 * time.Second},
					Base:    roguehttp.Watch(t, base),
				})
				resp, err := client.Get(url)
				if status, body := read(t, resp, err); status != c.status || body != "body" {
					t.Errorf("got %d %q", status, body)
				}
				if got := resp.Trailer.Get("X-Sum"); got != "7" || resp.Proto[:6] != proto[:6] {
					t.Errorf("%s: the trailer is %v", resp.Proto, resp.Trailer)
				}
			})
		}
	}
}

// summing is a body that sets the request's trailer at its end, as net/http wants it.
type summing struct {
	io.Reader
	trailer http.Header
}

func (s summing) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF {
		s.trailer.Set("X-Sum", "7")
	}
	return n, err
}

func TestTrailersOfARequestAreSentWithEveryAttempt(t *testing.T) {
	s := roguehttp.Serve(t, func(c *roguehttp.Conn) {
		c.Request()
		c.Send(unavailableHead + "Content-Length: 0\r\n\r\n")
		c.Fine()
	})
	client := newClient(t, retryhttp.Options{Base: roguehttp.Watch(t, &http.Transport{})})
	trailer := http.Header{"X-Sum": nil}
	body := func() (io.ReadCloser, error) { return io.NopCloser(summing{strings.NewReader("it"), trailer}), nil }
	first, _ := body()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL, first)
	if err != nil {
		t.Fatal(err)
	}
	req.GetBody, req.Trailer = body, trailer
	resp, err := client.Do(req)
	if status, body := read(t, resp, err); status != 200 || body != "fine" {
		t.Errorf("got %d %q", status, body)
	}
	requests := s.Requests()
	if len(requests) != 2 {
		t.Fatalf("%d requests, want 2", len(requests))
	}
	for i, r := range requests {
		if r.Body != "it" || r.Trailer.Get("X-Sum") != "7" {
			t.Errorf("request %d has the body %q and the trailer %v", i+1, r.Body, r.Trailer)
		}
	}
}
