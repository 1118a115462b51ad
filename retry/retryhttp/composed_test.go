package retryhttp_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
	"github.com/joist-go/joist/internal/roguehttp"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// What follows has both transports, retries outside and a breaker per host inside, before the servers that misbehave.

// pair returns both, on a base whose bodies are watched.
func pair(t *testing.T, base http.RoundTripper, outside retry.Options, inside breaker.Options) (*http.Client, *breakerhttp.Transport) {
	t.Helper()
	breakers, err := breakerhttp.New(breakerhttp.Options{Options: inside, Base: roguehttp.Watch(t, base)})
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, retryhttp.Options{Options: outside, Base: breakers}), breakers
}

func TestBothTransportsTogetherHaveTheOutcomesOfRetriesAlone(t *testing.T) {
	for _, c := range wireCases {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			want := c.get
			if method == http.MethodPost {
				want = c.post
			}
			if want == "" {
				continue
			}
			t.Run(c.name+" "+method, func(t *testing.T) {
				s := roguehttp.Serve(t, func(conn *roguehttp.Conn) {
					if conn.N == 1 {
						c.first(conn)
					}
					conn.Fine()
				})
				client, breakers := pair(t, &http.Transport{MaxConnsPerHost: 1}, c.options(), breaker.Options{MinCalls: 1000})
				if got := outcome(t, client, method, s.URL); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if method == http.MethodPost && len(s.Requests()) > 1 {
					t.Errorf("it was sent %d times", len(s.Requests()))
				}
				attempts := client.Transport.(*retryhttp.Transport).Stats().Retries + 1
				if sum := breakers.Stats().Successes + breakers.Stats().Failures; breakers.Stats().Ignored != 0 || sum != attempts {
					t.Errorf("%d attempts, but the breakers have counted %+v", attempts, breakers.Stats())
				}
			})
		}
	}
}

func TestEveryAttemptIsACallOfTheBreaker(t *testing.T) {
	s := roguehttp.Serve(t, func(c *roguehttp.Conn) {
		for i := 0; c.Request(); i++ {
			if i == 2 {
				c.Send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
				continue
			}
			c.Send(unavailableHead + "Content-Length: 4\r\n\r\nsoon")
		}
	})
	client, breakers := pair(t, &http.Transport{}, retry.Options{}, breaker.Options{MinCalls: 1000})
	if got := outcome(t, client, http.MethodGet, s.URL); got != "200 fine" {
		t.Errorf("got %q", got)
	}
	if got := breakers.Stats(); got.Successes != 1 || got.Failures != 2 || s.Connections() != 1 {
		t.Errorf("%+v over %d connections", got, s.Connections())
	}
}

func TestABreakerThatOpensEndsTheRetriesAtOnce(t *testing.T) {
	s := roguehttp.Serve(t, func(c *roguehttp.Conn) { c.Request(); c.Reset() })
	client, _ := pair(t, &http.Transport{}, retry.Options{MaxAttempts: 10, Budget: retry.NoBudget},
		breaker.Options{MinCalls: 2, OpenFor: time.Hour, MaxOpenFor: time.Hour})
	_, err := client.Get(s.URL)
	stopped, ok := errors.AsType[*retry.Error](err)
	if !ok || !errors.Is(err, breaker.ErrOpen) || stopped.Attempts != 3 || stopped.RetryAfter() <= 0 || stopped.Refused() {
		t.Errorf("got %v", err)
	}
	if got := len(s.Requests()); got != 2 {
		t.Errorf("%d requests reached the server, want 2", got)
	}
}

func TestABreakerForRetriesOnlyLetsTheFirstAttemptOfEachRequestOut(t *testing.T) {
	s := roguehttp.Serve(t, func(c *roguehttp.Conn) {
		for c.Request() {
			c.Send(unavailableHead + "Content-Length: 4\r\n\r\nsoon")
		}
	})
	client, breakers := pair(t, &http.Transport{}, retry.Options{Budget: retry.NoBudget},
		breaker.Options{MinCalls: 1, OpenFor: time.Hour, MaxOpenFor: time.Hour, Mode: breaker.RetriesOnly})
	for range 5 {
		if _, err := client.Get(s.URL); !errors.Is(err, breaker.ErrOpen) { //nolint:bodyclose // there is none
			t.Errorf("got %v, want the refusal of the second attempt", err)
		}
	}
	if got := len(s.Requests()); got != 5 {
		t.Errorf("%d requests reached the server, want 5", got)
	}
	if got := breakers.Stats(); got.Refused != 5 {
		t.Errorf("%+v", got)
	}
}

// A refusal is not an answer: nothing was sent, so that a POST may wait for its turn, too.
func TestAPostThatABreakerRefusesIsSentOnceItMay(t *testing.T) {
	s := roguehttp.Serve(t, func(c *roguehttp.Conn) {
		if c.N == 1 {
			c.Request()
			c.Send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops")
		}
		c.Fine()
	})
	client, breakers := pair(t, &http.Transport{}, retry.Options{Budget: retry.NoBudget},
		breaker.Options{MinCalls: 1, OpenFor: 50 * time.Millisecond, MaxOpenFor: 50 * time.Millisecond})
	if got := outcome(t, client, http.MethodPost, s.URL); got != "500 oops" || len(s.Requests()) != 1 {
		t.Fatalf("got %q after %d requests", got, len(s.Requests()))
	}
	if got := outcome(t, client, http.MethodPost, s.URL); got != "200 fine" {
		t.Errorf("got %q", got)
	}
	requests := s.Requests()
	if len(requests) != 2 || requests[1].Body != "order" || requests[1].Header.Get(retryhttp.AttemptHeader) != "2" {
		t.Errorf("the server read %+v", requests)
	}
	if got := breakers.Stats(); got.Refused != 1 {
		t.Errorf("%+v", got)
	}
}

func TestAPostWhoseBodyIsGoneIsNotSentAfterARefusal(t *testing.T) {
	s := roguehttp.Serve(t, func(c *roguehttp.Conn) {
		c.Request()
		c.Send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
		c.Fine()
	})
	client, _ := pair(t, &http.Transport{}, retry.Options{}, breaker.Options{MinCalls: 1, OpenFor: time.Second, MaxOpenFor: time.Second})
	outcome(t, client, http.MethodGet, s.URL)
	body := &watched{Reader: strings.NewReader("a stream")}
	_, err := client.Post(s.URL, "text/plain", body)
	if _, retried := errors.AsType[*retry.Error](err); retried || !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("got %v, want the breaker's own error", err)
	}
	if body.closed == 0 || len(s.Requests()) != 1 {
		t.Errorf("closed %d times, %d requests", body.closed, len(s.Requests()))
	}
}
