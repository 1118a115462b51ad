package retryhttp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/roguehttp"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// What follows is about HTTP/2: streams that are refused, and connections that go away.

// http2 returns a base that speaks nothing but unencrypted HTTP/2.
func http2() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{Protocols: protocols}
}

type wire2Case struct {
	name string
	// first deals with the first connection.
	first       func(c *roguehttp.Conn2)
	get         string
	getSent     int // how often the server read a GET
	post        string
	postSent    int // and a POST without an Idempotency-Key
	attempts    int // that a GET took as the policy sees it
	connections int // that were accepted for a GET
}

// Where a POST is sent twice, the server has said of the first time that it did nothing with it, or net/http takes that
// for granted.
var wire2Cases = []wire2Case{
	{
		name: "it refuses the stream",
		first: func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.Reset(stream, roguehttp.RefusedStream)
			c.Fine()
		},
		get: "200 fine", getSent: 2, post: "200 fine", postSent: 2, attempts: 1, connections: 1,
	},
	{
		name: "it goes away without the stream",
		first: func(c *roguehttp.Conn2) {
			c.Request()
			c.GoAway(0, roguehttp.NoError)
			c.Stall()
		},
		get: "200 fine", getSent: 2, post: "200 fine", postSent: 2, attempts: 1, connections: 2,
	},
	{
		name: "it goes away with an error on its first stream",
		first: func(c *roguehttp.Conn2) {
			c.Request()
			c.GoAway(0, roguehttp.EnhanceCalm)
			c.Stall()
		},
		get: "200 fine", getSent: 2, post: "error", postSent: 1, attempts: 2, connections: 2,
	},
	{
		name: "it goes away, but answers what it has taken",
		first: func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.GoAway(stream, roguehttp.NoError)
			c.Answer(stream, 200, "last one")
			c.Stall()
		},
		get: "200 last one", getSent: 1, post: "200 last one", postSent: 1, attempts: 1, connections: 1,
	},
	{
		name: "it goes away after an answer that is to be retried",
		first: func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.GoAway(stream, roguehttp.NoError)
			c.Answer(stream, 503, "elsewhere")
			c.Stall()
		},
		get: "200 fine", getSent: 2, post: "503 elsewhere", postSent: 1, attempts: 2, connections: 2,
	},
	{
		name: "it goes away, and closes without an answer to what it has taken",
		first: func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.GoAway(stream, roguehttp.NoError)
		},
		get: "200 fine", getSent: 2, post: "error", postSent: 1, attempts: 2, connections: 2,
	},
	{
		name: "it closes without a word",
		first: func(c *roguehttp.Conn2) {
			c.Request()
		},
		get: "200 fine", getSent: 2, post: "error", postSent: 1, attempts: 2, connections: 2,
	},
	{
		name: "it fails the stream",
		first: func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.Reset(stream, roguehttp.InternalError)
			c.Fine()
		},
		get: "200 fine", getSent: 2, post: "error", postSent: 1, attempts: 2, connections: 1,
	},
	{
		name: "it resets the stream for an error of the protocol", // which net/http takes for a server that goes away
		first: func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.Reset(stream, roguehttp.ProtocolError)
			c.Fine()
		},
		get: "200 fine", getSent: 2, post: "200 fine", postSent: 2, attempts: 1, connections: 2,
	},
	{
		name: "it fails the stream within the body of a 503",
		first: func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.Head(stream, 503)
			c.Part(stream, "so")
			c.Reset(stream, roguehttp.InternalError)
			c.Fine()
		},
		get: "200 fine", getSent: 2, attempts: 2, connections: 1,
		post: "503 and then stream error: stream ID 1; INTERNAL_ERROR; received from peer", postSent: 1,
	},
	{
		name: "it refuses the stream after it has begun to answer", // against the protocol
		first: func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.Head(stream, 200)
			c.Part(stream, "ha")
			c.Reset(stream, roguehttp.RefusedStream)
			c.Fine()
		},
		get: "200 and then stream error: stream ID 1; REFUSED_STREAM; received from peer", getSent: 1, attempts: 1, connections: 1,
		post: "200 and then stream error: stream ID 1; REFUSED_STREAM; received from peer", postSent: 1,
	},
}

func TestHTTP2ServersThatGoAwayOrRefuseHaveTheRightOutcome(t *testing.T) {
	for _, c := range wire2Cases {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(c.name+" "+method, func(t *testing.T) {
				s := roguehttp.Serve2(t, func(conn *roguehttp.Conn2) {
					if conn.N == 1 {
						c.first(conn)
						return
					}
					conn.Fine()
				})
				transport := newTransport(t, retryhttp.Options{
					Options: retry.Options{Backoff: fast, Budget: retry.NoBudget},
					Base:    roguehttp.Watch(t, http2()),
				})
				want, sent := c.get, c.getSent
				if method == http.MethodPost {
					want, sent = c.post, c.postSent
				}
				if got := outcome(t, &http.Client{Transport: transport}, method, s.URL); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				requests := s.Requests()
				if len(requests) != sent {
					t.Errorf("the server read %d requests, want %d", len(requests), sent)
				}
				for _, r := range requests {
					if method == http.MethodPost && r.Body != "order" {
						t.Errorf("it read the body %q", r.Body)
					}
				}
				if method == http.MethodGet {
					attempts := int(transport.Stats().Retries) + 1
					if attempts != c.attempts || s.Connections() != c.connections {
						t.Errorf("%d attempts over %d connections, want %d over %d", attempts, s.Connections(), c.attempts, c.connections)
					}
				}
			})
		}
	}
}

func TestAnAttemptThatTimesOutOnHTTP2ResetsItsStreamAndKeepsTheConnection(t *testing.T) {
	cancelled := make(chan []uint32, 1)
	s := roguehttp.Serve2(t, func(c *roguehttp.Conn2) {
		c.Request() // and no answer
		stream, _ := c.Request()
		c.Answer(stream, 200, "fine")
		cancelled <- c.Cancelled
		c.Fine()
	})
	client := newClient(t, retryhttp.Options{
		Options: impatient,
		Base:    roguehttp.Watch(t, http2()),
	})
	if got := outcome(t, client, http.MethodGet, s.URL); got != "200 fine" {
		t.Errorf("got %q", got)
	}
	if streams := <-cancelled; len(streams) == 0 || streams[0] != 1 || s.Connections() != 1 {
		t.Errorf("streams %v were reset, over %d connections", streams, s.Connections())
	}
}

// A server of net/http says GOAWAY after an answer with Connection: close.
func TestAServerThatClosesGracefullyIsAskedAgainOverAnotherConnection(t *testing.T) {
	var remotes []string
	s := newServer2(t, func(w http.ResponseWriter, r *http.Request) {
		if remotes = append(remotes, r.RemoteAddr); len(remotes) < 3 { // one request at a time
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	client := newClient(t, retryhttp.Options{Base: roguehttp.Watch(t, http2())})
	if got := outcome(t, client, http.MethodGet, s); got != "200" {
		t.Errorf("got %q", got)
	}
	if len(remotes) != 3 || remotes[0] == remotes[1] || remotes[1] == remotes[2] {
		t.Errorf("requests came from %v", remotes)
	}
}

// newServer2 starts a server of net/http that speaks unencrypted HTTP/2, and returns its URL.
func newServer2(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler, Protocols: http2().Protocols, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return "http://" + listener.Addr().String()
}

// refusing is a server, within a bubble, that refuses the first n streams. Its base asks it over pipes.
func refusing(n int) (*roguehttp.Server, *http.Transport) {
	s, transport := new(roguehttp.Server), http2()
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go s.Speak2(server, func(c *roguehttp.Conn2) {
			for stream, ok := c.Request(); ok; stream, ok = c.Request() {
				if len(s.Requests()) <= n {
					c.Reset(stream, roguehttp.RefusedStream)
				} else {
					c.Answer(stream, 200, "fine")
				}
			}
		})
		return client, nil
	}
	return s, transport
}

// net/http sends a request whose stream is refused eight times. What it gives up with says that the server has done nothing.
func TestAPostWhoseStreamsAreAllRefusedMayBeRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, base := refusing(9)
		transport := newTransport(t, retryhttp.Options{Options: retry.Options{Backoff: fast}, Base: roguehttp.Watch(t, base)})
		if got := outcome(t, &http.Client{Transport: transport}, http.MethodPost, "http://rogue.test"); got != "200 fine" {
			t.Errorf("got %q", got)
		}
		requests := s.Requests()
		if len(requests) != 10 || transport.Stats().Retries != 1 {
			t.Errorf("the server read %d requests in %d attempts, want 10 in 2", len(requests), transport.Stats().Retries+1)
		}
		for _, r := range requests {
			if r.Body != "order" {
				t.Errorf("it read the body %q", r.Body)
			}
		}
		transport.CloseIdleConnections()
		synctest.Wait()
	})
}

func TestAStreamThatIsRefusedAndCannotBeSentAgainIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, base := refusing(100)
		transport := newTransport(t, retryhttp.Options{Options: retry.Options{Backoff: fast}, Base: roguehttp.Watch(t, base)})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://rogue.test", io.NopCloser(strings.NewReader("a stream")))
		if err != nil {
			t.Fatal(err)
		}
		_, err = transport.RoundTrip(req)
		if _, ok := errors.AsType[*retry.Error](err); ok || err == nil {
			t.Errorf("got %v, want the transport's own error", err)
		}
		if got := len(s.Requests()); got != 1 {
			t.Errorf("the server read %d requests", got)
		}
		transport.CloseIdleConnections()
		synctest.Wait()
	})
}

// nested is what a base with attempts of its own returns: that the last one was refused says nothing about the others.
type nested struct{ error }

func (n nested) Unwrap() error { return n.error }

func TestARefusedStreamInsideAnotherErrorSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, inner := refusing(8)
		watched := roguehttp.Watch(t, inner)
		calls := 0
		transport := newTransport(t, retryhttp.Options{Options: retry.Options{Backoff: fast}, Base: base(func(r *http.Request) (*http.Response, error) {
			calls++
			resp, err := watched.RoundTrip(r)
			if err != nil {
				err = nested{err}
			}
			return resp, err
		})})
		if got := outcome(t, &http.Client{Transport: transport}, http.MethodPost, "http://rogue.test"); got != "error" || calls != 1 {
			t.Errorf("got %q after %d attempts", got, calls)
		}
		inner.CloseIdleConnections()
		synctest.Wait()
	})
}
