package roguehttp

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Watch returns a round tripper that hands everything to base, and at the end of the test complains of each body of a
// request or of an answer that is still open. A request's body may be closed after RoundTrip has returned, as net/http
// allows; it is waited for. What base takes from GetBody by itself is its own business.
func Watch(t testing.TB, base http.RoundTripper) http.RoundTripper {
	w := &watch{base: base}
	t.Cleanup(func() {
		if closer, ok := base.(interface{ CloseIdleConnections() }); ok {
			closer.CloseIdleConnections()
		}
		done := make(chan struct{})
		go func() {
			w.requests.Wait()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Error("a request's body was not closed")
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.answers != 0 {
			t.Errorf("%d answers' bodies were not closed", w.answers)
		}
	})
	return w
}

type watch struct {
	base     http.RoundTripper
	requests sync.WaitGroup

	mu      sync.Mutex
	answers int
}

// RoundTrip implements http.RoundTripper.
func (w *watch) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil && req.Body != http.NoBody {
		w.requests.Add(1)
		copied := *req
		copied.Body = &watched{ReadCloser: req.Body, closed: w.requests.Done}
		req = &copied
	}
	resp, err := w.base.RoundTrip(req)
	if err == nil && resp.Body != http.NoBody {
		w.count(1)
		resp.Body = &watched{ReadCloser: resp.Body, closed: func() { w.count(-1) }}
	}
	return resp, err
}

func (w *watch) count(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers += n
}

// CloseIdleConnections closes those of the base.
func (w *watch) CloseIdleConnections() {
	if closer, ok := w.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

type watched struct {
	io.ReadCloser

	once   sync.Once
	closed func()
}

// Close implements io.Closer.
func (b *watched) Close() error {
	b.once.Do(b.closed)
	return b.ReadCloser.Close()
}
