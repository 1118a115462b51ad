package bulkheadhttp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/pool/bulkhead/bulkheadhttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBulkhead(t testing.TB, o bulkhead.Options) *bulkhead.Bulkhead {
	t.Helper()
	if o.Limit == nil {
		o.Limit = bulkhead.Fixed(1)
	}
	b, err := bulkhead.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wrap(b *bulkhead.Bulkhead, h http.HandlerFunc) http.Handler {
	return bulkheadhttp.Middleware(b, bulkheadhttp.Options{})(h)
}

func get(ctx context.Context, h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	return w
}

// sleeping takes a second of virtual time.
func sleeping(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) }

func TestARequestWithoutASlotIsAnsweredWith503AndAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(t, bulkhead.Options{})
		calls := 0
		h := wrap(b, func(http.ResponseWriter, *http.Request) { calls++; time.Sleep(2500 * time.Millisecond) })
		get(t.Context(), h) // the typical time
		go get(t.Context(), h)
		synctest.Wait()
		got := get(t.Context(), h)
		if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") != "3" {
			t.Errorf("%d %v", got.Code, got.Header())
		}
		if got.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(got.Body.String(), `"status":503`) {
			t.Errorf("%v %s", got.Header(), got.Body)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if calls != 2 {
			t.Errorf("%d calls", calls)
		}
	})
}

func TestTheSmallestPauseIsASecond(t *testing.T) {
	b := newBulkhead(t, bulkhead.Options{})
	var inner *httptest.ResponseRecorder
	var h http.Handler
	h = wrap(b, func(_ http.ResponseWriter, r *http.Request) { inner = get(r.Context(), h) })
	get(t.Context(), h)
	if inner.Code != http.StatusServiceUnavailable || inner.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %v", inner.Code, inner.Header())
	}
}

func TestWorkWhoseDeadlineHasPassedIsNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := wrap(newBulkhead(t, bulkhead.Options{}), func(http.ResponseWriter, *http.Request) { t.Error("done") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		<-ctx.Done()
		if got := get(ctx, h); got.Code != http.StatusGatewayTimeout || got.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d %v", got.Code, got.Header())
		}
		left, leave := context.WithCancel(t.Context())
		leave()
		if got := get(left, h); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") != "" {
			t.Errorf("a client that has gone: %d %v", got.Code, got.Header())
		}
	})
}

func TestWorkThatCannotBeginBeforeItsDeadlineIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := wrap(newBulkhead(t, bulkhead.Options{MaxQueue: 5}), sleeping)
		get(t.Context(), h)
		go get(t.Context(), h)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		began := time.Now()
		got := get(ctx, h)
		if took := time.Since(began); took != 0 || got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
			t.Errorf("%d %v after %v", got.Code, got.Header(), took)
		}
		time.Sleep(2 * time.Second)
	})
}

func TestRequestsOfMoreWorthComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu    sync.Mutex
			order []string
		)
		h := bulkheadhttp.Middleware(newBulkhead(t, bulkhead.Options{MaxQueue: 5, MaxWait: time.Minute, CoDelInterval: bulkhead.NoCoDel}),
			bulkheadhttp.Options{Priority: func(r *http.Request) bulkhead.Priority {
				if r.URL.Path == "/pay" {
					return bulkhead.Critical
				}
				return bulkhead.Normal
			}})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			order = append(order, r.URL.Path)
			mu.Unlock()
			if bulkhead.PriorityOf(r.Context()) != bulkhead.Normal {
				t.Error("the handler's context has a priority")
			}
			time.Sleep(time.Second)
		}))
		var all sync.WaitGroup
		for _, path := range []string{"/a", "/b", "/pay"} {
			all.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)) })
			synctest.Wait()
		}
		all.Wait()
		if !slices.Equal(order, []string{"/a", "/pay", "/b"}) {
			t.Errorf("the order is %v", order)
		}
	})
}

func TestAPanicAndAGoexitOfTheHandlerGiveTheSlotBack(t *testing.T) {
	b := newBulkhead(t, bulkhead.Options{})
	ends := true
	h := wrap(b, func(http.ResponseWriter, *http.Request) {
		if ends {
			runtime.Goexit()
		}
		panic(http.ErrAbortHandler)
	})
	for range 3 {
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			get(t.Context(), h)
		}()
		if got := <-done; ends && got != nil || !ends && got != http.ErrAbortHandler {
			t.Errorf("recovered %v", got)
		}
		ends = false
	}
	if got := b.Stats(); got.InFlight != 0 || got.Accepted != 3 {
		t.Errorf("%+v", got)
	}
}

// Overload that the handler tells by its answers lowers the limit; its other failures do not.
func TestTheLimitLearnsFromTheStatus(t *testing.T) {
	for _, c := range []struct {
		status  int
		outcome func(int) bulkhead.Outcome
		falls   bool
	}{
		{200, nil, false}, {404, nil, false}, {500, nil, false}, {502, nil, false},
		{429, nil, true}, {503, nil, true}, {504, nil, true},
		{500, func(int) bulkhead.Outcome { return bulkhead.Dropped }, true},
		{503, func(int) bulkhead.Outcome { return bulkhead.Ignored }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBulkhead(t, bulkhead.Options{Limit: bulkhead.AIMD{Initial: 50}})
			h := bulkheadhttp.Middleware(b, bulkheadhttp.Options{Outcome: c.outcome})(
				http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					time.Sleep(10 * time.Millisecond)
					w.WriteHeader(http.StatusEarlyHints) // is not the answer
					w.WriteHeader(c.status)
				}))
			for range 50 {
				get(t.Context(), h)
			}
			if got := b.Stats().Limit; got < 50 != c.falls {
				t.Errorf("%d: the limit is %d", c.status, got)
			}
		})
	}
}

func TestTheHandlerCanStillFlushAndStreamAndHijack(t *testing.T) {
	limit := bulkhead.Fixed(2) // an answer may be there before its handler has returned
	server := httptest.NewServer(wrap(newBulkhead(t, bulkhead.Options{Limit: limit}), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hijack" {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
			_ = conn.Close()
			return
		}
		w.(http.Flusher).Flush()
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		if n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("streamed")); n != 8 || err != nil {
			t.Error(n, err)
		}
	}))
	defer server.Close()
	for path, want := range map[string]string{"/": "streamed", "/hijack": ""} {
		resp, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != want {
			t.Errorf("%s: %q, %v", path, body, err)
		}
	}
}

func TestMiddlewarePanicsOnNil(t *testing.T) {
	for name, f := range map[string]func(){
		"bulkhead": func() { bulkheadhttp.Middleware(nil, bulkheadhttp.Options{}) },
		"handler":  func() { bulkheadhttp.Middleware(newBulkhead(t, bulkhead.Options{}), bulkheadhttp.Options{})(nil) },
	} {
		func() {
			defer func() {
				if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "joist/bulkheadhttp: ") {
					t.Errorf("%s: no panic that says what is nil", name)
				}
			}()
			f()
		}()
	}
}
