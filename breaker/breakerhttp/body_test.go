package breakerhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
)

// breaksOff answers with 5 bytes of 100 and closes the connection once more is closed.
func breaksOff(more <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "hello")
		w.(http.Flusher).Flush()
		<-more
		panic(http.ErrAbortHandler)
	}
}

// waits answers with 5 bytes of 100 and nothing more until the client leaves.
func waits(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, "hello")
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func send(t *testing.T, ctx context.Context, transport http.RoundTripper, url string) *http.Response { //nolint:revive // t first
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestTheHeaderDecides(t *testing.T) {
	more := make(chan struct{})
	defer close(more)
	transport := newTransport(t, breakerhttp.Options{Options: breaker.Options{MinCalls: 100}})
	send(t, t.Context(), transport, serve(t, breaksOff(more)))
	wantOutcomes(t, transport, 1, 0, 0) // the body has not come yet
}

func TestABodyThatBreaksOffIsOneFailureAndNoSecondCall(t *testing.T) {
	more := make(chan struct{})
	transport := newTransport(t, breakerhttp.Options{})
	url := serve(t, breaksOff(more))
	res := send(t, t.Context(), transport, url)
	wantOutcomes(t, transport, 1, 0, 0)
	close(more)
	for range 3 { // reads after the first error change nothing
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Fatal("the whole body came")
		}
	}
	wantOutcomes(t, transport, 0, 1, 0)
	if err := get(t, transport, url); !errors.Is(err, breaker.ErrOpen) {
		t.Fatalf("the breaker did not open: %v", err)
	}
}

func TestAWholeBodyStaysASuccess(t *testing.T) {
	transport := newTransport(t, breakerhttp.Options{})
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	res := send(t, t.Context(), transport, url)
	text, err := io.ReadAll(res.Body)
	if err != nil || string(text) != "hello" {
		t.Fatalf("%q, %v", text, err)
	}
	wantOutcomes(t, transport, 1, 0, 0)
}

func TestACallerThatLeavesWhileReadingIsNoFailure(t *testing.T) {
	url := serve(t, waits)
	for name, leave := range map[string]func(cancel func(), body io.Closer){
		"cancel": func(cancel func(), _ io.Closer) { cancel() },
		"close":  func(_ func(), body io.Closer) { body.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			transport := newTransport(t, breakerhttp.Options{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			res := send(t, ctx, transport, url)
			leave(cancel, res.Body)
			if _, err := io.ReadAll(res.Body); err == nil {
				t.Fatal("the whole body came")
			}
			wantOutcomes(t, transport, 1, 0, 0)
		})
	}
}

// expiring is a context whose deadline passes when done is closed.
type expiring struct {
	context.Context

	done chan struct{}
}

func (e *expiring) Done() <-chan struct{} { return e.done }

func (e *expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestADeadlineWhileReadingIsAFailure(t *testing.T) {
	transport := newTransport(t, breakerhttp.Options{})
	ctx := &expiring{Context: t.Context(), done: make(chan struct{})}
	res := send(t, ctx, transport, serve(t, waits))
	close(ctx.done)
	if _, err := io.ReadAll(res.Body); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	wantOutcomes(t, transport, 0, 1, 0)
}

func TestAFailedResponseIsNotCountedAgainWhenItsBodyBreaksOff(t *testing.T) {
	more := make(chan struct{})
	close(more)
	transport := newTransport(t, breakerhttp.Options{Options: breaker.Options{MinCalls: 100}})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusBadGateway)
		breaksOff(more)(w, r)
	})
	res := send(t, t.Context(), transport, url)
	_, _ = io.ReadAll(res.Body)
	wantOutcomes(t, transport, 0, 1, 0)
}

func TestHTTP2StreamsThatBreakOffAreFailures(t *testing.T) {
	more := make(chan struct{})
	s := httptest.NewUnstartedServer(breaksOff(more))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	transport := newTransport(t, breakerhttp.Options{Base: s.Client().Transport})
	res := send(t, t.Context(), transport, s.URL)
	if res.ProtoMajor != 2 {
		t.Fatalf("HTTP/%d", res.ProtoMajor)
	}
	close(more)
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Fatal("the whole body came")
	}
	wantOutcomes(t, transport, 0, 1, 0)
}

func TestAConnectionThatSwitchesProtocolsCanBeWrittenTo(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString(line)
		_ = rw.Flush()
	})
	transport := newTransport(t, breakerhttp.Options{})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	w, ok := res.Body.(io.Writer)
	if !ok {
		t.Fatal("the body cannot be written to")
	}
	_, _ = io.WriteString(w, "hello\n")
	if line, _ := bufio.NewReader(res.Body).ReadString('\n'); line != "hello\n" {
		t.Errorf("the echo is %q", line)
	}
	wantOutcomes(t, transport, 1, 0, 0)
}
