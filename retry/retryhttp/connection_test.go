package retryhttp_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/joist-go/joist/internal/roguehttp"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// reset ends the connection of a request so that its client gets a TCP reset.
func reset(t *testing.T, w http.ResponseWriter) {
	t.Helper()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func TestAResetIsRepeated(t *testing.T) {
	s := newServer(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n <= 2 {
			reset(t, w)
			return
		}
		_, _ = io.WriteString(w, "fine")
	})
	client := newClient(t, retryhttp.Options{})
	req, err := http.NewRequest(http.MethodPut, s.URL, strings.NewReader("it"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if status, body := read(t, resp, err); status != 200 || body != "fine" {
		t.Errorf("got %d %q", status, body)
	}
	if got := strings.Join(s.got(), ","); got != "it,it,it" {
		t.Errorf("requests had %q", got)
	}
}

func TestAPostThatIsResetIsSentOnceAndItsErrorIsTheTransports(t *testing.T) {
	s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) { reset(t, w) })
	client := newClient(t, retryhttp.Options{})
	_, err := client.Post(s.URL, "text/plain", strings.NewReader("order")) //nolint:bodyclose // there is none
	if _, ok := errors.AsType[*retry.Error](err); ok || err == nil {
		t.Errorf("got %v, want the transport's own error", err)
	}
	if got := s.got(); len(got) != 1 || got[0] != "order" {
		t.Errorf("requests had %q, want one", got)
	}
}

func TestResetsWithoutEndAreAnErrorThatHoldsTheLast(t *testing.T) {
	s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) { reset(t, w) })
	client := newClient(t, retryhttp.Options{Options: retry.Options{Name: "api", Budget: retry.NoBudget}})
	_, err := client.Get(s.URL) //nolint:bodyclose // there is none
	stopped, ok := errors.AsType[*retry.Error](err)
	if !ok || stopped.Reason != retry.ReasonExhausted || stopped.Attempts != 3 || stopped.Policy != "api" {
		t.Errorf("got %v", err)
	}
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("%v lacks the transport's error", err)
	}
}

func TestAServerThatIsDownIsTriedAgain(t *testing.T) {
	client := newClient(t, retryhttp.Options{})
	_, err := client.Get("http://" + roguehttp.Nobody(t)) //nolint:bodyclose // there is none
	stopped, ok := errors.AsType[*retry.Error](err)
	if !ok || stopped.Attempts != 3 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}

func TestACertificateThatIsNotTrustedIsNotTriedAgain(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it complains of clients that hang up
	s.StartTLS()
	t.Cleanup(s.Close)
	client := newClient(t, retryhttp.Options{})
	_, err := client.Get(s.URL) //nolint:bodyclose // there is none
	if _, ok := errors.AsType[*retry.Error](err); ok || err == nil {
		t.Errorf("got %v, want the transport's own error", err)
	}
}

func TestAServerThatDoesNotSpeakTLSIsNotTriedAgain(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	client := newClient(t, retryhttp.Options{})
	_, err := client.Get("https" + strings.TrimPrefix(s.URL, "http")) //nolint:bodyclose // there is none
	if _, ok := errors.AsType[*retry.Error](err); ok || !errors.Is(err, http.ErrSchemeMismatch) {
		t.Errorf("got %v, want what a client without a Transport says", err)
	}
}

// counted returns a base that counts the connections it opens, at most one per host.
func counted() (base *http.Transport, opened *atomic.Int64) {
	opened = new(atomic.Int64)
	dialer := &net.Dialer{}
	base = &http.Transport{MaxConnsPerHost: 1}
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		opened.Add(1)
		return dialer.DialContext(ctx, network, addr)
	}
	return base, opened
}

func TestAConnectionIsUsedAgainForTheNextAttempt(t *testing.T) {
	for _, size := range []int{0, 100, 4 << 10, 64 << 10} {
		for _, chunked := range []bool{false, true} {
			t.Run(strconv.Itoa(size)+" chunked "+strconv.FormatBool(chunked), func(t *testing.T) {
				s := newServer(t, func(n int, w http.ResponseWriter, _ *http.Request) {
					if !chunked {
						w.Header().Set("Content-Length", strconv.Itoa(size))
					}
					if n%3 != 0 {
						w.WriteHeader(http.StatusServiceUnavailable)
					}
					_, _ = io.WriteString(w, strings.Repeat("x", size))
				})
				base, opened := counted()
				client := newClient(t, retryhttp.Options{
					Options: retry.Options{Budget: retry.NoBudget, AttemptTimeout: 10 * time.Second},
					Base:    base,
				})
				for range 5 {
					resp, err := client.Get(s.URL)
					if status, body := read(t, resp, err); status != 200 || len(body) != size {
						t.Errorf("got %d and %d bytes", status, len(body))
					}
				}
				if len(s.got()) != 15 || opened.Load() != 1 {
					t.Errorf("%d requests over %d connections, want 15 over 1", len(s.got()), opened.Load())
				}
			})
		}
	}
}

func TestAnAnswerAboveTheLimitCostsItsConnectionButStaysWhole(t *testing.T) {
	const size = 300 << 10
	body := strings.Repeat("0123456789", size/10)
	s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, body)
	})
	base, opened := counted()
	budget, err := retry.NewBudget(retry.BudgetOptions{Burst: 1})
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(t, retryhttp.Options{Options: retry.Options{Budget: budget}, Base: base})
	resp, err := client.Get(s.URL) // the second attempt is the budget's last: its answer is kept in part when the policy stops
	if status, got := read(t, resp, err); status != 503 || got != body {
		t.Errorf("got %d and %d bytes", status, len(got))
	}
	if len(s.got()) != 2 || opened.Load() != 2 {
		t.Errorf("%d requests over %d connections, want 2 over 2", len(s.got()), opened.Load())
	}
}

// With one connection per host, a call that held its connection while it waits would keep the other one out.
func TestACallThatWaitsDoesNotHoldAConnection(t *testing.T) {
	waiting := make(chan struct{})
	s := newServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/waits" && n == 1 {
			w.Header().Set("Retry-After", "100")
			w.WriteHeader(http.StatusServiceUnavailable)
			close(waiting)
		}
	})
	base, _ := counted()
	client := newClient(t, retryhttp.Options{Options: retry.Options{MaxHint: retry.AnyHint}, Base: base})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waits, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/waits", nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := client.Do(waits) //nolint:bodyclose // there is none
		done <- err
	}()
	<-waiting
	client.Timeout = time.Minute
	resp, err := client.Get(s.URL + "/passes")
	read(t, resp, err)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the call that was to wait ended with %v", err)
	}
}

// impatient gives up soon, and begins anew until an attempt is quick enough, which on a busy machine may take some.
var impatient = retry.Options{AttemptTimeout: 100 * time.Millisecond, MaxAttempts: 50, Budget: retry.NoBudget}

func TestAServerThatHangsIsGivenUpAfterTheAttemptTimeout(t *testing.T) {
	release := make(chan struct{})
	s := newServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		}
		_, _ = io.WriteString(w, "fine")
	})
	defer close(release)
	client := newClient(t, retryhttp.Options{Options: impatient})
	resp, err := client.Get(s.URL)
	if status, body := read(t, resp, err); status != 200 || body != "fine" {
		t.Errorf("got %d %q", status, body)
	}
}

// A server that sends an error page for ever must not hold the attempt for ever.
func TestAnAnswerThatNeverEndsIsGivenUpAfterTheAttemptTimeout(t *testing.T) {
	s := newServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n > 1 {
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "and so on")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	client := newClient(t, retryhttp.Options{Options: impatient})
	resp, err := client.Get(s.URL)
	if status, _ := read(t, resp, err); status != 200 {
		t.Errorf("got %d", status)
	}
}

func TestAttemptsOnHTTP2AreRepeatedAndTheirStreamsReleased(t *testing.T) {
	long := strings.Repeat("x", 1<<17) // more than is read before the wait, so that closing has to reset the stream
	var got []string
	ended := make(chan struct{}, 3)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		body, _ := io.ReadAll(r.Body)
		if got = append(got, r.Proto+" "+string(body)); len(got) < 3 { // one request at a time
			w.WriteHeader(http.StatusServiceUnavailable)
			if len(got) == 2 {
				_, _ = io.WriteString(w, long)
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done() // until the stream is reset
			}
			return
		}
		_, _ = io.WriteString(w, long)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)

	client := newClient(t, retryhttp.Options{Options: retry.Options{AttemptTimeout: time.Minute}, Base: s.Client().Transport})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL, strings.NewReader("payload"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if status, body := read(t, resp, err); status != 200 || body != long {
		t.Errorf("got %d and %d bytes", status, len(body))
	}
	for range 3 {
		<-ended
	}
	for _, g := range got {
		if g != "HTTP/2.0 payload" {
			t.Errorf("the server got %q", g)
		}
	}
}
