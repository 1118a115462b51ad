package retryhttp_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/joist-go/joist/internal/roguehttp"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// tracked is a body that counts itself among the open ones until it is closed.
type tracked struct {
	io.Reader
	open   *atomic.Int64
	closed atomic.Bool
}

func (b *tracked) Close() error {
	if !b.closed.Swap(true) {
		b.open.Add(-1)
	}
	return nil
}

// leftOpen sends a PUT over HTTP/2 to a server whose first connection script deals with, and returns how many bodies were
// had, and how many of them nobody has closed when all is over.
func leftOpen(t *testing.T, script func(*roguehttp.Conn2), wrap func(http.RoundTripper) http.RoundTripper) (had, open int64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var hadBodies, openBodies atomic.Int64
		server, base := new(roguehttp.Server), http2()
		base.DialContext = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go server.Speak2(theirs, func(c *roguehttp.Conn2) {
				if c.N == 1 {
					script(c)
				}
				c.Fine()
			})
			return ours, nil
		}
		body := func() (io.ReadCloser, error) {
			hadBodies.Add(1)
			openBodies.Add(1)
			return &tracked{Reader: strings.NewReader("order"), open: &openBodies}, nil
		}
		first, _ := body()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://rogue.test", first)
		if err != nil {
			t.Fatal(err)
		}
		req.GetBody, req.ContentLength = body, int64(len("order"))
		resp, err := wrap(base).RoundTrip(req)
		if status, text := read(t, resp, err); status != 200 || text != "fine" {
			t.Errorf("got %d %q", status, text)
		}
		base.CloseIdleConnections()
		synctest.Wait()
		had, open = hadBodies.Load(), openBodies.Load()
	})
	return had, open
}

func withRetries(t *testing.T) func(http.RoundTripper) http.RoundTripper {
	return func(base http.RoundTripper) http.RoundTripper {
		return newTransport(t, retryhttp.Options{Options: retry.Options{Backoff: fast, Budget: retry.NoBudget}, Base: base})
	}
}

func TestEachBodyThatAnAttemptTookFromGetBodyIsClosed(t *testing.T) {
	for name, script := range map[string]func(*roguehttp.Conn2){
		"the stream fails":            func(c *roguehttp.Conn2) { stream, _ := c.Request(); c.Reset(stream, roguehttp.InternalError) },
		"the connection closes":       func(c *roguehttp.Conn2) { c.Request(); c.Close() },
		"it goes away with an error":  func(c *roguehttp.Conn2) { c.Request(); c.GoAway(0, roguehttp.EnhanceCalm); c.Stall() },
		"it answers 503 first":        func(c *roguehttp.Conn2) { stream, _ := c.Request(); c.Answer(stream, 503, "soon") },
		"it refuses the stream first": func(c *roguehttp.Conn2) { stream, _ := c.Request(); c.Reset(stream, roguehttp.RefusedStream) },
	} {
		t.Run(name, func(t *testing.T) {
			if had, open := leftOpen(t, script, withRetries(t)); had != 2 || open != 0 {
				t.Errorf("%d bodies were had, and %d are open", had, open)
			}
		})
	}
}

// When a connection goes away, net/http takes a body to send it over the same one, finds that it cannot, and takes another.
// The transport adds nothing to that.
func TestAConnectionThatGoesAwayLeavesNoMoreBodiesOpenThanNetHTTPDoes(t *testing.T) {
	goesAway := func(c *roguehttp.Conn2) { c.Request(); c.GoAway(0, roguehttp.NoError); c.Stall() }
	bareHad, bareOpen := leftOpen(t, goesAway, func(base http.RoundTripper) http.RoundTripper { return base })
	had, open := leftOpen(t, goesAway, withRetries(t))
	t.Logf("net/http alone had %d bodies and left %d open", bareHad, bareOpen)
	if had != bareHad || open != bareOpen {
		t.Errorf("%d bodies were had, and %d are open; net/http alone had %d, and left %d", had, open, bareHad, bareOpen)
	}
}
