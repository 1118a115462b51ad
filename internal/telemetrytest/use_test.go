package telemetrytest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/throttle"
	"github.com/joist-go/joist/cache"
	"github.com/joist-go/joist/pool"
	"github.com/joist-go/joist/pool/balance"
	"github.com/joist-go/joist/pool/batch"
	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/pool/flight"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/retry"
	"github.com/joist-go/joist/retry/retryhttp"
)

var (
	errOutage = errors.New("outage")
	quiet     = slog.New(slog.DiscardHandler)
)

// useEverything makes one block of each kind and has each record what only a call records. The blocks live until
// release is called.
func useEverything(t *testing.T, m meters) (release func()) {
	t.Helper()
	limits := []ratelimit.Limit{ratelimit.PerSecond(1).Named("burst")}
	kept := []any{
		useLimiter(t, m, limits),
		joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits, MeterProvider: m})),
		joist.Must(breaker.New(breaker.Options{MeterProvider: m})),
		joist.Must(breaker.NewKeyed(breaker.KeyedOptions[string]{Options: breaker.Options{MeterProvider: m}})),
		joist.Must(throttle.New(throttle.Options{MeterProvider: m})),
		useBulkhead(t, m),
		joist.Must(flight.New[string, int](flight.Options{MeterProvider: m})),
		useCache(t, m),
		useRetry(t, m),
		useRetryHTTP(t, m),
		usePool(t, m),
		useBatch(t, m),
		joist.Must(balance.New(balance.Options[string]{Endpoints: []string{"a"}, MeterProvider: m})),
		joist.Must(balance.NewRendezvous(balance.RendezvousOptions[string]{Endpoints: []string{"a"}, MeterProvider: m})),
	}
	return func() { runtime.KeepAlive(kept) }
}

// useCache has loads end in every way.
func useCache(t *testing.T, m meters) any {
	t.Helper()
	loads := map[string]func(context.Context) (int, error){
		"ok":        func(context.Context) (int, error) { return 1, nil },
		"not_found": func(context.Context) (int, error) { return 0, cache.ErrNotFound },
		"error":     func(context.Context) (int, error) { return 0, errOutage },
		"timeout":   func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() },
		"panic":     func(context.Context) (int, error) { panic("boom") },
	}
	var kept []any
	for key, load := range loads {
		limit := time.Minute
		if key == "timeout" {
			limit = time.Millisecond
		}
		c := joist.Must(cache.New(cache.Options[string, int]{
			Load: func(ctx context.Context, _ string) (int, error) { return load(ctx) },
			TTL:  time.Minute, LoadTimeout: limit, MeterProvider: m, Logger: quiet,
		}))
		closed(t, c.Close)
		kept = append(kept, c)
		func() {
			defer func() { _ = recover() }() // the load's panic
			_, _ = c.Get(t.Context(), key)   // the outcome is what counts
		}()
	}
	return kept
}

// useLimiter has a call wait for a token.
func useLimiter(t *testing.T, m meters, limits []ratelimit.Limit) any {
	t.Helper()
	l := joist.Must(ratelimit.New(ratelimit.Options{Limits: limits, MeterProvider: m}))
	if err := l.SetLimits([]ratelimit.Limit{ratelimit.PerSecond(1000).Named("burst").WithBurst(1)}); err != nil {
		t.Fatal(err)
	}
	for m.total(t, "joist.ratelimit.wait.duration") == 0 { // a slow machine finds a token without a wait
		if err := l.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// useBulkhead has a call wait for a slot that it does not get.
func useBulkhead(t *testing.T, m meters) any {
	t.Helper()
	b := joist.Must(bulkhead.New(bulkhead.Options{
		Limit: bulkhead.Fixed(1), MaxQueue: 1, MaxWait: time.Millisecond, MeterProvider: m,
	}))
	err := b.Do(t.Context(), func(ctx context.Context) error {
		if err := b.Do(ctx, func(context.Context) error { return nil }); !errors.Is(err, bulkhead.ErrFull) {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return b
}

func useRetry(t *testing.T, m meters) any {
	t.Helper()
	p := joist.Must(retry.New(retry.Options{Backoff: retry.Exponential(time.Microsecond, time.Millisecond), MeterProvider: m}))
	if err := p.Do(t.Context(), func(context.Context) error { return errOutage }); !errors.Is(err, errOutage) {
		t.Error(err)
	}
	return p
}

func useRetryHTTP(t *testing.T, m meters) any {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer server.Close()
	transport := joist.Must(retryhttp.New(retryhttp.Options{Options: retry.Options{
		Backoff: retry.Exponential(time.Microsecond, time.Millisecond), MeterProvider: m,
	}}))
	resp, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	return transport
}

// usePool runs enough tasks that some are sampled.
func usePool(t *testing.T, m meters) any {
	t.Helper()
	p := joist.Must(pool.New(pool.Options{MeterProvider: m}))
	for range 1000 {
		if err := p.Go(t.Context(), func(context.Context) {}); err != nil {
			t.Fatal(err)
		}
	}
	closed(t, p.Close)
	if err := p.Close(t.Context()); err != nil { // all tasks have run
		t.Error(err)
	}
	return p
}

func useBatch(t *testing.T, m meters) any {
	t.Helper()
	b := joist.Must(batch.New(batch.Options[int, int]{
		Run:           func(context.Context, []int) (map[int]int, error) { return map[int]int{1: 1}, nil },
		MeterProvider: m,
	}))
	closed(t, b.Close)
	if _, err := b.Get(t.Context(), 1); err != nil {
		t.Error(err)
	}
	return b
}

func closed(t *testing.T, stop func(context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		if err := stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
