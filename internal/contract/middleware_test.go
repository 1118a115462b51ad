package contract_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/pool/bulkhead/bulkheadhttp"
	"github.com/joist-go/joist/retry/retryhttp"
)

// slots is a handler behind a bulkhead of one slot, as a service would have it: the deadline that its caller sends along
// holds.
func slots(o bulkhead.Options, handle http.HandlerFunc) (http.Handler, *bulkhead.Bulkhead) {
	if o.Limit == nil {
		o.Limit = bulkhead.Fixed(1)
	}
	b := joist.Must(bulkhead.New(o))
	return retryhttp.Handler(bulkheadhttp.Middleware(b, bulkheadhttp.Options{})(handle)), b
}

// serveWithin serves a request whose caller waits for so long.
func serveWithin(h http.Handler, left time.Duration) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(retryhttp.TimeoutHeader, strconv.FormatInt(left.Milliseconds(), 10))
	h.ServeHTTP(w, r)
	return w
}

func TestTheBulkheadsMiddlewareDropsWorkWhosePropagatedDeadlineHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		h, b := slots(bulkhead.Options{MaxQueue: 5, MaxWait: time.Minute, CoDelInterval: bulkhead.NoCoDel}, func(http.ResponseWriter, *http.Request) {
			calls++
			time.Sleep(time.Second)
		})
		if got := serveWithin(h, 0); got.Code != http.StatusGatewayTimeout {
			t.Errorf("on arrival: %d", got.Code)
		}
		go serve(t.Context(), h)
		synctest.Wait()
		if got := serveWithin(h, time.Second/2); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
			t.Errorf("in the queue: %d %v", got.Code, got.Header())
		}
		time.Sleep(time.Second)
		synctest.Wait() // the first has ended, and its time is known
		go serve(t.Context(), h)
		synctest.Wait()
		began := time.Now()
		if got := serveWithin(h, time.Second/2); got.Code != http.StatusServiceUnavailable || time.Since(began) != 0 {
			t.Errorf("a wait that cannot fit: %d after %v", got.Code, time.Since(began))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := b.Stats(); calls != 2 || got.InFlight != 0 || got.Queued != 0 {
			t.Errorf("%d calls, %+v", calls, got)
		}
	})
}

func TestWorkThatPassesItsPropagatedDeadlineIsASignOfOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, b := slots(bulkhead.Options{Limit: bulkhead.AIMD{Initial: 50}}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		for range 50 {
			serveWithin(h, 10*time.Millisecond)
		}
		if got := b.Stats(); got.Limit >= 50 {
			t.Errorf("%+v", got)
		}
	})
}

func TestTheBulkheadsRetryAfterHoldsInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := slots(bulkhead.Options{}, func(http.ResponseWriter, *http.Request) { time.Sleep(3 * time.Second) })
		serve(t.Context(), h) // its time is the hint
		go serve(t.Context(), h)
		synctest.Wait()
		got := serve(t.Context(), h)
		after, err := strconv.Atoi(got.Header().Get("Retry-After"))
		if got.Code != http.StatusServiceUnavailable || err != nil || after != 3 {
			t.Fatalf("%d %v", got.Code, got.Header())
		}
		time.Sleep(time.Duration(after) * time.Second)
		synctest.Wait()
		if got := serve(t.Context(), h); got.Code != http.StatusOK {
			t.Errorf("after the %d s of Retry-After: %d", after, got.Code)
		}
	})
}

func TestTheBulkheadsMiddlewareServesNobodyWhoIsGoneAndGivesEverySlotBack(t *testing.T) {
	ends := func() { t.Error("served for a caller that is gone") }
	h, b := slots(bulkhead.Options{}, func(http.ResponseWriter, *http.Request) { ends() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	serve(ctx, h)
	for _, end := range []func(){func() { panic(http.ErrAbortHandler) }, runtime.Goexit} {
		ends = end
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { _ = recover() }()
			serve(t.Context(), h)
		}()
		<-done
	}
	ends = func() {}
	if got := serve(t.Context(), h); got.Code != http.StatusOK {
		t.Errorf("after a panic and a Goexit: %d", got.Code)
	}
	if got := b.Stats(); got.InFlight != 0 || got.Accepted != 3 || got.Cancelled != 1 {
		t.Errorf("%+v", got)
	}
}
