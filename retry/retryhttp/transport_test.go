package retryhttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fast are delays that a test on a real clock can afford.
var fast = retry.Exponential(time.Millisecond, 2*time.Second)

// server is a real server that answers with what script says about each request, and keeps what it got.
type server struct {
	*httptest.Server

	mu     sync.Mutex
	bodies []string
}

func newServer(t *testing.T, script func(n int, w http.ResponseWriter, r *http.Request)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.bodies = append(s.bodies, string(body))
		n := len(s.bodies)
		s.mu.Unlock()
		script(n, w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// got returns the bodies of the requests so far.
func (s *server) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.bodies...)
}

// unavailable answers 503 n times and 200 from then on.
func unavailable(n int) func(int, http.ResponseWriter, *http.Request) {
	return func(i int, w http.ResponseWriter, _ *http.Request) {
		if i <= n {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "fine")
	}
}

// newClient returns a client with a transport that must be valid, on connections of its own.
func newClient(t *testing.T, o retryhttp.Options) *http.Client {
	t.Helper()
	if o.Base == nil {
		o.Base = &http.Transport{}
	}
	if o.Backoff == (retry.Backoff{}) {
		o.Backoff = fast
	}
	transport, err := retryhttp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// read returns the status and the whole body of an answer, which it closes.
func read(t *testing.T, resp *http.Response, err error) (status int, body string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAGetIsRepeatedUntilTheServerIsBack(t *testing.T) {
	s := newServer(t, unavailable(2))
	client := newClient(t, retryhttp.Options{})
	resp, err := client.Get(s.URL)
	if status, body := read(t, resp, err); status != 200 || body != "fine" {
		t.Errorf("got %d %q", status, body)
	}
	if n := len(s.got()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestTheLastAnswerIsReturnedWhole(t *testing.T) {
	s := newServer(t, unavailable(100))
	client := newClient(t, retryhttp.Options{})
	resp, err := client.Get(s.URL)
	if status, body := read(t, resp, err); status != 503 || body != "not now\n" {
		t.Errorf("got %d %q", status, body)
	}
	if n := len(s.got()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestAPostIsSentOnce(t *testing.T) {
	s := newServer(t, unavailable(100))
	client := newClient(t, retryhttp.Options{})
	resp, err := client.Post(s.URL, "text/plain", strings.NewReader("order"))
	if status, _ := read(t, resp, err); status != 503 {
		t.Errorf("got %d", status)
	}
	if got := s.got(); len(got) != 1 || got[0] != "order" {
		t.Errorf("requests had %q, want one", got)
	}
}

func TestAPostWithAnIdempotencyKeyIsRepeatedWithTheSameBody(t *testing.T) {
	s := newServer(t, unavailable(2))
	client := newClient(t, retryhttp.Options{})
	want := strings.Repeat("0123456789abcdef", 10_000)
	req, err := http.NewRequest(http.MethodPost, s.URL, strings.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", "7")
	resp, err := client.Do(req)
	if status, _ := read(t, resp, err); status != 200 {
		t.Errorf("got %d", status)
	}
	got := s.got()
	if len(got) != 3 {
		t.Fatalf("%d requests, want 3", len(got))
	}
	for i, body := range got {
		if body != want {
			t.Errorf("attempt %d had another body, of %d bytes", i+1, len(body))
		}
	}
}

func TestAPostWithAKeyThatIsNotSentIsRepeated(t *testing.T) {
	s := newServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if _, there := r.Header["Idempotency-Key"]; there {
			t.Error("the entry was sent")
		}
		unavailable(1)(n, w, r)
	})
	req, err := http.NewRequest(http.MethodPost, s.URL, strings.NewReader("search"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Idempotency-Key"] = nil
	resp, err := newClient(t, retryhttp.Options{}).Do(req)
	if status, body := read(t, resp, err); status != 200 || body != "fine" {
		t.Errorf("got %d %q", status, body)
	}
	if got := strings.Join(s.got(), ","); got != "search,search" {
		t.Errorf("requests had %q", got)
	}
}
