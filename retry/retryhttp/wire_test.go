package retryhttp_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/internal/roguehttp"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// What follows sends real requests to servers that misbehave on the wire. Each script says what becomes of the first request;
// all others are answered well, on the same connection if it is still there.

// outcome is what comes of a request: "200 fine", "503", or the error of reading the body; "error" if there is no answer.
func outcome(t *testing.T, client *http.Client, method, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if method == http.MethodPost {
		req, err = http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("order"))
	}
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "error"
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	text := resp.Status[:3]
	if err != nil {
		return text + " and then " + err.Error()
	}
	return strings.TrimSpace(text + " " + string(body))
}

// wireCase is one way to misbehave, and what comes of a GET and of a POST without an Idempotency-Key.
type wireCase struct {
	name string
	// first deals with the first request of the first connection, which it has to read.
	first       func(c *roguehttp.Conn)
	get         string
	requests    int // that the server read whole, of the GET
	connections int // that it accepted
	post        string
	stalls      bool // whether only the attempt's time-out ends it
}

// options has a time-out that even a busy machine does not exceed, but where the server lets attempts run into it: then
// there may be more of them.
func (c wireCase) options() retry.Options {
	if c.stalls {
		return impatient
	}
	return retry.Options{AttemptTimeout: time.Minute}
}

const unavailableHead = "HTTP/1.1 503 Service Unavailable\r\n"

var wireCases = []wireCase{
	{
		name:  "it resets before it reads",
		first: func(c *roguehttp.Conn) { c.Reset() },
		get:   "200 fine", requests: 1, connections: 2, post: "error",
	},
	{
		name:  "it resets once it has read",
		first: func(c *roguehttp.Conn) { c.Request(); c.Reset() },
		get:   "200 fine", requests: 2, connections: 2, post: "error",
	},
	{
		name:  "it closes without a word",
		first: func(c *roguehttp.Conn) { c.Request(); c.Close() },
		get:   "200 fine", requests: 2, connections: 2, post: "error",
	},
	{
		name:  "it closes within the status line",
		first: func(c *roguehttp.Conn) { c.Request(); c.Send("HTTP/1.1 20"); c.Close() },
		get:   "200 fine", requests: 2, connections: 2, post: "error",
	},
	{
		name:  "it closes within the header",
		first: func(c *roguehttp.Conn) { c.Request(); c.Send("HTTP/1.1 200 OK\r\nContent-Le"); c.Close() },
		get:   "200 fine", requests: 2, connections: 2, post: "error",
	},
	{
		name:  "it speaks another protocol",
		first: func(c *roguehttp.Conn) { c.Request(); c.Send("220 smtp ready\r\n"); c.Close() },
		get:   "200 fine", requests: 2, connections: 2, post: "error",
	},
	{
		name:  "it stalls",
		first: func(c *roguehttp.Conn) { c.Request(); c.Stall() },
		get:   "200 fine", requests: 2, connections: 2, post: "error",
		stalls: true,
	},
	{
		name:  "it stalls within the header",
		first: func(c *roguehttp.Conn) { c.Request(); c.Send("HTTP/1.1 200 OK\r\nContent-Le"); c.Stall() },
		get:   "200 fine", requests: 2, connections: 2, post: "error",
		stalls: true,
	},
	{
		name:  "it trickles a header without end",
		first: func(c *roguehttp.Conn) { c.Request(); trickle(c, "HTTP/1.1 200 OK\r\nX-Long: ") },
		get:   "200 fine", requests: 2, connections: 2, post: "error",
		stalls: true,
	},
	{
		name: "it answers 503 and keeps the connection",
		first: func(c *roguehttp.Conn) {
			c.Request()
			c.Send(unavailableHead + "Content-Length: 4\r\n\r\nsoon")
		},
		get: "200 fine", requests: 2, connections: 1, post: "503 soon",
	},
	{
		name: "it gives early hints before it answers 503",
		first: func(c *roguehttp.Conn) {
			c.Request()
			c.Send("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + unavailableHead + "Content-Length: 4\r\n\r\nsoon")
		},
		get: "200 fine", requests: 2, connections: 1, post: "503 soon",
	},
	{
		name: "it answers 503 in chunks with a trailer",
		first: func(c *roguehttp.Conn) {
			c.Request()
			c.Send(unavailableHead + "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\nsoon\r\n0\r\nX-Sum: 7\r\n\r\n")
		},
		get: "200 fine", requests: 2, connections: 1, post: "503 soon",
	},
	{
		name: "it answers 503 and closes",
		first: func(c *roguehttp.Conn) {
			c.Request()
			c.Send(unavailableHead + "Connection: close\r\n\r\nsoon")
			c.Close()
		},
		get: "200 fine", requests: 2, connections: 2, post: "503 soon",
	},
	{
		name: "it answers 503 and announces more than it sends",
		first: func(c *roguehttp.Conn) {
			c.Request()
			c.Send(unavailableHead + "Content-Length: 100\r\n\r\nsoon")
			c.Close()
		},
		get: "200 fine", requests: 2, connections: 2, post: "503 and then unexpected EOF",
	},
	{
		name: "it answers 503 and breaks off within a chunk",
		first: func(c *roguehttp.Conn) {
			c.Request()
			c.Send(unavailableHead + "Transfer-Encoding: chunked\r\n\r\n64\r\nsoon")
			c.Close()
		},
		get: "200 fine", requests: 2, connections: 2, post: "503 and then unexpected EOF",
	},
	{
		name: "it answers 503 and trickles a body without end",
		first: func(c *roguehttp.Conn) {
			c.Request()
			trickle(c, unavailableHead+"Transfer-Encoding: chunked\r\n\r\n")
		},
		get: "200 fine", requests: 2, connections: 2, // a POST's answer is its caller's, to read for as long as it likes
		stalls: true,
	},
	{
		name: "it answers 429 with a hint that has passed",
		first: func(c *roguehttp.Conn) {
			c.Request()
			c.Send("HTTP/1.1 429 Too Many Requests\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 4\r\n\r\nsoon")
		},
		get: "200 fine", requests: 2, connections: 1, post: "429 soon",
	},
	{
		name: "it answers 429 with a hint beyond all bounds",
		first: func(c *roguehttp.Conn) {
			c.Request()
			c.Send("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 99999999999999999999\r\nContent-Length: 4\r\n\r\nsoon")
		},
		get: "429 soon", requests: 1, connections: 1, post: "429 soon",
	},
	{
		name: "it answers 200 and announces more than it sends",
		first: func(c *roguehttp.Conn) {
			c.Request()
			c.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			c.Close()
		},
		get: "200 and then unexpected EOF", requests: 1, connections: 1, post: "200 and then unexpected EOF",
	},
	{
		name: "it answers 200 and breaks off within a chunk",
		first: func(c *roguehttp.Conn) {
			c.Request()
			c.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf")
			c.Close()
		},
		get: "200 and then unexpected EOF", requests: 1, connections: 1, post: "200 and then unexpected EOF",
	},
	{
		name: "it sends more than it announced",
		first: func(c *roguehttp.Conn) {
			c.Request()
			c.Send(unavailableHead + "Content-Length: 4\r\n\r\nsoon and more")
			c.Stall()
		},
		get: "200 fine", requests: 2, connections: 2, post: "503 soon",
	},
}

// trickle sends head and then a byte, in a chunk of its own, every few milliseconds until the client goes.
func trickle(c *roguehttp.Conn, head string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.Send(head); ; <-tick.C {
		if _, err := io.WriteString(c, "1\r\nx\r\n"); err != nil {
			return
		}
	}
}

// rogue starts a server that deals with its first connection as c says, and its client.
func rogue(t *testing.T, c wireCase) (*roguehttp.Server, *http.Client) {
	t.Helper()
	s := roguehttp.Serve(t, func(conn *roguehttp.Conn) {
		if conn.N == 1 {
			c.first(conn)
		}
		conn.Fine()
	})
	return s, newClient(t, retryhttp.Options{
		Options: c.options(),
		Base:    roguehttp.Watch(t, &http.Transport{MaxConnsPerHost: 1}),
	})
}

func TestAGetToAServerThatMisbehavesHasTheRightOutcome(t *testing.T) {
	for _, c := range wireCases {
		t.Run(c.name, func(t *testing.T) {
			s, client := rogue(t, c)
			if got := outcome(t, client, http.MethodGet, s.URL); got != c.get {
				t.Errorf("got %q, want %q", got, c.get)
			}
			got := len(s.Requests())
			if c.stalls && got > 0 {
				return
			}
			if got != c.requests || s.Connections() != c.connections {
				t.Errorf("%d requests over %d connections, want %d over %d", got, s.Connections(), c.requests, c.connections)
			}
		})
	}
}

func TestAPostToAServerThatMisbehavesIsSentOnce(t *testing.T) {
	for _, c := range wireCases {
		if c.post == "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			s, client := rogue(t, c)
			if got := outcome(t, client, http.MethodPost, s.URL); got != c.post {
				t.Errorf("got %q, want %q", got, c.post)
			}
			if got := len(s.Requests()); got > 1 || s.Connections() > 1 {
				t.Errorf("%d requests over %d connections, want 1 over 1 at most", got, s.Connections())
			}
		})
	}
}

// A connection that a server closes while a request is on its way is what net/http itself repeats, if it is safe to.
func TestAConnectionThatDiesBetweenRequestsCostsNoAttemptAndNoSecondPost(t *testing.T) {
	for method, want := range map[string]struct {
		outcome  string
		requests int
	}{
		http.MethodGet:  {"200 fine", 3},
		http.MethodPost: {"error", 2},
	} {
		t.Run(method, func(t *testing.T) {
			s := roguehttp.Serve(t, func(c *roguehttp.Conn) {
				if c.N == 1 {
					c.Request()
					c.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
					c.Request() // and no answer
					return
				}
				c.Fine()
			})
			transport := newTransport(t, retryhttp.Options{Base: roguehttp.Watch(t, &http.Transport{})})
			client := &http.Client{Transport: transport}
			outcome(t, client, http.MethodGet, s.URL)
			if got := outcome(t, client, method, s.URL); got != want.outcome {
				t.Errorf("got %q, want %q", got, want.outcome)
			}
			if got := len(s.Requests()); got != want.requests || transport.Stats().Retries != 0 {
				t.Errorf("%d requests, %+v", got, transport.Stats())
			}
		})
	}
}

func TestAHintOfARealServerIsWaitedFor(t *testing.T) {
	s, client := rogue(t, wireCase{first: func(c *roguehttp.Conn) {
		c.Request()
		c.Send("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
	}})
	began := time.Now()
	if got := outcome(t, client, http.MethodGet, s.URL); got != "200 fine" {
		t.Errorf("got %q", got)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("the next attempt came after %v", took)
	}
	if s.Connections() != 1 {
		t.Errorf("%d connections", s.Connections())
	}
}
