package breakerhttp_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
	"github.com/joist-go/joist/internal/roguehttp"
)

// What follows sends real requests to servers that misbehave on the wire. Each is sent twice, and then the body is read: the
// first connection does what the case says, and all others answer well.

type wireCase struct {
	name        string
	first       func(c *roguehttp.Conn)
	successes   int64
	failures    int64
	connections int
	stalls      bool // whether only the deadline ends it
}

var wireCases = []wireCase{
	{"it answers well", func(c *roguehttp.Conn) { c.Fine() }, 2, 0, 1, false},
	{"it resets before it reads", func(c *roguehttp.Conn) { c.Reset() }, 1, 1, 2, false},
	{"it resets once it has read", func(c *roguehttp.Conn) { c.Request(); c.Reset() }, 1, 1, 2, false},
	{"it closes without a word", func(c *roguehttp.Conn) { c.Request() }, 1, 1, 2, false},
	{"it speaks another protocol", func(c *roguehttp.Conn) { c.Request(); c.Send("220 smtp ready\r\n") }, 1, 1, 2, false},
	{"it stalls until the deadline", func(c *roguehttp.Conn) { c.Request(); c.Stall() }, 1, 1, 2, true},
	{"it stalls within the header", func(c *roguehttp.Conn) {
		c.Request()
		c.Send("HTTP/1.1 200 OK\r\nContent-Le")
		c.Stall()
	}, 1, 1, 2, true},
	{"it stalls within the body", func(c *roguehttp.Conn) {
		c.Request()
		c.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		c.Stall()
	}, 1, 1, 2, true},
	{"it trickles a body without end", func(c *roguehttp.Conn) {
		c.Request()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for c.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"); ; <-tick.C {
			if _, err := io.WriteString(c, "1\r\nx\r\n"); err != nil {
				return
			}
		}
	}, 1, 1, 2, true},
	{"it announces more than it sends", func(c *roguehttp.Conn) {
		c.Request()
		c.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
	}, 1, 1, 2, false},
	{"it breaks off within a chunk", func(c *roguehttp.Conn) {
		c.Request()
		c.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf")
	}, 1, 1, 2, false},
	{"it answers 503 and keeps the connection", func(c *roguehttp.Conn) {
		c.Request()
		c.Send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsoon")
		c.Fine()
	}, 1, 1, 1, false},
	{"it answers 503 and announces more than it sends", func(c *roguehttp.Conn) {
		c.Request()
		c.Send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\nsoon")
	}, 1, 1, 2, false},
	{"it answers 429 with a hint", func(c *roguehttp.Conn) {
		c.Request()
		c.Send("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 4\r\n\r\nsoon")
		c.Fine()
	}, 2, 0, 1, false},
	{"it answers 429 and breaks off", func(c *roguehttp.Conn) {
		c.Request()
		c.Send("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 100\r\n\r\nsoon")
	}, 1, 1, 2, false},
	{"it gives early hints and answers well", func(c *roguehttp.Conn) {
		c.Request()
		c.Send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		c.Fine()
	}, 2, 0, 1, false},
}

// exchange sends a request with a deadline and reads its answer, as far as either goes. Only where the server stalls is the
// deadline one that a busy machine could run into.
func exchange(t *testing.T, transport http.RoundTripper, url string, stalls bool) {
	t.Helper()
	within := time.Minute
	if stalls {
		within = time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("order"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
}

func TestAServerThatMisbehavesHasTheRightOutcomeOnce(t *testing.T) {
	t.Parallel()
	for _, c := range wireCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // those that stall take their time
			s := roguehttp.Serve(t, func(conn *roguehttp.Conn) {
				if conn.N == 1 {
					c.first(conn)
					return
				}
				conn.Fine()
			})
			transport := newTransport(t, breakerhttp.Options{
				Options: breaker.Options{MinCalls: 100},
				Base:    roguehttp.Watch(t, &http.Transport{MaxConnsPerHost: 1}),
			})
			exchange(t, transport, s.URL, c.stalls)
			exchange(t, transport, s.URL, false)
			wantOutcomes(t, transport, c.successes, c.failures, 0)
			if s.Connections() != c.connections || len(s.Requests()) > 2 {
				t.Errorf("%d requests over %d connections, want %d", len(s.Requests()), s.Connections(), c.connections)
			}
		})
	}
}

func TestHTTP2ServersThatGoAwayOrRefuseHaveTheRightOutcomeOnce(t *testing.T) {
	for name, c := range map[string]struct {
		first     func(c *roguehttp.Conn2)
		successes int64
		failures  int64
	}{
		// net/http repeats the first two by itself: to the breaker they are one call that went well.
		"it refuses the stream": {func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.Reset(stream, roguehttp.RefusedStream)
			c.Fine()
		}, 2, 0},
		"it goes away without the stream": {func(c *roguehttp.Conn2) {
			c.Request()
			c.GoAway(0, roguehttp.NoError)
			c.Stall()
		}, 2, 0},
		"it goes away and answers": {func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.GoAway(stream, roguehttp.NoError)
			c.Answer(stream, 200, "last one")
			c.Stall()
		}, 2, 0},
		"it goes away without an answer": {func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.GoAway(stream, roguehttp.NoError)
		}, 1, 1},
		"it goes away with an error": {func(c *roguehttp.Conn2) {
			c.Request()
			c.GoAway(0, roguehttp.EnhanceCalm)
			c.Stall()
		}, 1, 1},
		"it fails the stream within the body": {func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.Head(stream, 200)
			c.Part(stream, "half")
			c.Reset(stream, roguehttp.InternalError)
			c.Fine()
		}, 1, 1},
		"it closes within the body": {func(c *roguehttp.Conn2) {
			stream, _ := c.Request()
			c.Head(stream, 200)
			c.Part(stream, "half")
		}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := roguehttp.Serve2(t, func(conn *roguehttp.Conn2) {
				if conn.N == 1 {
					c.first(conn)
					return
				}
				conn.Fine()
			})
			base := &http.Transport{Protocols: new(http.Protocols)}
			base.Protocols.SetUnencryptedHTTP2(true)
			transport := newTransport(t, breakerhttp.Options{
				Options: breaker.Options{MinCalls: 100},
				Base:    roguehttp.Watch(t, base),
			})
			exchange(t, transport, s.URL, false)
			exchange(t, transport, s.URL, false)
			wantOutcomes(t, transport, c.successes, c.failures, 0)
		})
	}
}

func TestACallerThatLeavesAStreamOfHTTP2IsNoFailure(t *testing.T) {
	s := roguehttp.Serve2(t, func(c *roguehttp.Conn2) {
		stream, _ := c.Request()
		c.Head(stream, 200)
		c.Part(stream, "half")
		c.Stall()
	})
	base := &http.Transport{Protocols: new(http.Protocols)}
	base.Protocols.SetUnencryptedHTTP2(true)
	transport := newTransport(t, breakerhttp.Options{Base: roguehttp.Watch(t, base)})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res := send(t, ctx, transport, s.URL)
	cancel()
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("the whole body came")
	}
	wantOutcomes(t, transport, 1, 0, 0)
}
