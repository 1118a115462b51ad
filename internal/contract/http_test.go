package contract_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
	"github.com/joist-go/joist/internal/contract"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

// httpBlocks are the round trippers, each behind an http.Client: what comes out of them is wrapped in a url.Error.
var httpBlocks = []contract.Block{
	{
		Name: "retryhttp.Transport",
		New: func(t testing.TB) contract.Guard {
			tr := joist.Must(retryhttp.New(retryhttp.Options{Base: new(base)}))
			return contract.Guard{Do: roundTrip(t, tr), Gone: contract.Watch(tr)}
		},
	},
	{
		Name: "breakerhttp.Transport",
		New: func(t testing.TB) contract.Guard {
			tr := joist.Must(breakerhttp.New(breakerhttp.Options{Base: new(base), Options: breaker.Options{MinCalls: 1e6}}))
			return contract.Guard{Do: roundTrip(t, tr), Gone: contract.Watch(tr)}
		},
		Refusing: func(t testing.TB) contract.Guard {
			do := roundTrip(t, joist.Must(breakerhttp.New(breakerhttp.Options{Base: new(base), Options: opensAtOnce})))
			_ = do(context.Background(), outage)
			return contract.Guard{Do: do}
		},
		Refusal: breaker.ErrOpen, Hints: true,
	},
	{
		Name: "retryhttp.Transport over breakerhttp.Transport",
		New: func(t testing.TB) contract.Guard {
			inner := joist.Must(breakerhttp.New(breakerhttp.Options{Base: new(base), Options: breaker.Options{MinCalls: 1e6}}))
			tr := joist.Must(retryhttp.New(retryhttp.Options{Base: inner}))
			return contract.Guard{Do: roundTrip(t, tr), Gone: contract.Watch(tr)}
		},
		Refusing: func(t testing.TB) contract.Guard { // with more attempts it would wait as it is told
			inner := joist.Must(breakerhttp.New(breakerhttp.Options{Base: new(base), Options: opensAtOnce}))
			do := roundTrip(t, joist.Must(retryhttp.New(retryhttp.Options{Base: inner, Options: retry.Options{MaxAttempts: 1}})))
			_ = do(context.Background(), outage)
			return contract.Guard{Do: do}
		},
		Refusal: breaker.ErrOpen, Hints: true,
	},
}

var opensAtOnce = breaker.Options{MinCalls: 1, OpenFor: time.Minute, MaxOpenFor: time.Minute}

func TestEveryRoundTripperKeepsTheContracts(t *testing.T) {
	for _, b := range httpBlocks {
		t.Run(b.Name, func(t *testing.T) { contract.Run(t, b) })
	}
}

// base is what would send a request. It makes the call that comes with the request's context instead.
type base struct{}

type callKey struct{}

// RoundTrip implements http.RoundTripper.
func (*base) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	call, _ := r.Context().Value(callKey{}).(contract.Call)
	if err := call(r.Context()); err != nil {
		return nil, err
	}
	answer := r.Context().Value(bodyKey{}).(*body)
	answer.open.Add(1)
	return &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: answer, Request: r}, nil
}

type bodyKey struct{}

// body counts how often it is open.
type body struct {
	io.Reader
	open atomic.Int64
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.open.Add(-1)
	return nil
}

// roundTrip is a call as a request. However the call ends, the request's body and the answer's must be closed.
func roundTrip(t testing.TB, tr http.RoundTripper) func(context.Context, contract.Call) error {
	client := &http.Client{Transport: tr}
	return func(ctx context.Context, call contract.Call) error {
		sent, answer := &body{Reader: strings.NewReader("x")}, &body{Reader: strings.NewReader("y")}
		sent.open.Store(1)
		defer func() { // after a panic and a Goexit too
			if n := sent.open.Load(); n > 0 {
				t.Error("the request's body is not closed")
			}
			if n := answer.open.Load(); n > 0 {
				t.Errorf("%d answers' bodies are not closed", n)
			}
		}()
		ctx = context.WithValue(context.WithValue(ctx, callKey{}, call), bodyKey{}, answer)
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://a.example/", sent)
		if err != nil {
			return err
		}
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
}

// The middleware's refusal is an answer. It is as exact as a refusal of the limiter, to the second that Retry-After has.
func TestTheMiddlewaresRetryAfterHoldsInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := limited(t, 1, func(*http.Request) {})
		if got := serve(t.Context(), handler); got.Code != http.StatusOK {
			t.Fatalf("the first: %d", got.Code)
		}
		got := serve(t.Context(), handler)
		after, err := strconv.Atoi(got.Header().Get("Retry-After"))
		if got.Code != http.StatusTooManyRequests || err != nil || after < 1 {
			t.Fatalf("the second: %d %v", got.Code, got.Header())
		}
		time.Sleep(time.Duration(after-1) * time.Second)
		if got := serve(t.Context(), handler); got.Code != http.StatusTooManyRequests {
			t.Errorf("a second before Retry-After: %d", got.Code)
		}
		time.Sleep(time.Second)
		if got := serve(t.Context(), handler); got.Code != http.StatusOK {
			t.Errorf("after the %d s of Retry-After: %d", after, got.Code)
		}
	})
}

func TestTheMiddlewareServesNobodyWhoIsGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	served := false
	handler := limited(t, 1, func(*http.Request) { served = true })
	serve(ctx, handler)
	if served {
		t.Error("the handler ran for a caller that is gone")
	}
	if got := serve(t.Context(), handler); got.Code != http.StatusOK {
		t.Errorf("the one that is gone has cost a token: %d", got.Code)
	}
}

func TestTheMiddlewareLetsAPanicThroughAtThePriceOfOneToken(t *testing.T) {
	aborts := true
	handler := limited(t, 2, func(*http.Request) {
		if aborts {
			panic(http.ErrAbortHandler)
		}
	})
	func() {
		defer func() {
			if value := recover(); value != http.ErrAbortHandler { //nolint:errorlint // the very value
				t.Errorf("the panic has the value %v", value)
			}
		}()
		serve(t.Context(), handler)
	}()
	aborts = false
	if got := serve(t.Context(), handler); got.Code != http.StatusOK {
		t.Errorf("the second of two: %d", got.Code)
	}
	if got := serve(t.Context(), handler); got.Code != http.StatusTooManyRequests {
		t.Errorf("the third of two: %d", got.Code)
	}
}

func TestATakersFailureIsNoRefusalOfTheClient(t *testing.T) {
	handler := ratelimithttp.Middleware(failing{}, ratelimithttp.Options{Key: ratelimithttp.ClientIP(), Logger: quiet})(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("served without a limit") }))
	if got := serve(t.Context(), handler); got.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d", got.Code)
	}
}

type failing struct{}

// Take implements ratelimit.Taker.
func (failing) Take(context.Context, string, int64) (ratelimit.Result, error) {
	return ratelimit.Result{}, errors.New("no answer")
}

// limited is a handler for n requests a minute.
func limited(t *testing.T, n int64, handle func(*http.Request)) http.Handler {
	t.Helper()
	k := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{ratelimit.PerMinute(n)}}))
	return ratelimithttp.Middleware(ratelimit.TakerOf(k), ratelimithttp.Options{Key: ratelimithttp.ClientIP()})(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { handle(r) }))
}

func serve(ctx context.Context, h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	return w
}
