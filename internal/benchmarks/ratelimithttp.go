package main

import (
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/sethvargo/go-limiter/httplimit"
	"github.com/sethvargo/go-limiter/memorystore"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

var ratelimithttpCases = []benchCase{
	{name: "allowed", about: "serves a request within its limit by client address, with the fields", setup: ratelimithttpSetup(keyedTokens)},
	{name: "denied", about: "answers a request above its limit", setup: ratelimithttpSetup(1)},
}

// headerSink is a response writer that costs nothing.
type headerSink struct{ header http.Header }

func (s headerSink) Header() http.Header         { return s.header }
func (s headerSink) Write(b []byte) (int, error) { return len(b), nil }
func (s headerSink) WriteHeader(int)             {}

func ratelimithttpSetup(tokens int64) func(*environment) (lineup, error) {
	return func(env *environment) (lineup, error) {
		perDay := min(tokens, keyedPerDay)
		keyed, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
			Name:           "benchmark",
			Limits:         []ratelimit.Limit{ratelimit.PerDay(perDay).WithBurst(tokens)},
			MeterProvider:  env.sdk.metrics,
			TracerProvider: env.sdk.traces,
		})
		if err != nil {
			return lineup{}, err
		}
		store, err := memorystore.New(&memorystore.Config{
			Tokens: uint64(tokens), Interval: 24 * time.Hour, SweepInterval: time.Hour, SweepMinTTL: 48 * time.Hour,
		})
		if err != nil {
			return lineup{}, err
		}
		env.cleanup(func() { _ = store.Close(ctx) })
		theirs, err := httplimit.NewMiddleware(store, httplimit.IPKeyFunc())
		if err != nil {
			return lineup{}, err
		}
		next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		ours := ratelimithttp.Middleware(ratelimit.TakerOf(keyed), ratelimithttp.Options{Key: ratelimithttp.ClientIP()})
		return lineup{
			ours: contender{name: "joist", settings: "Middleware, ClientIP; fields of draft 10, a refusal is a problem", loop: served(ours(next))},
			peers: []contender{{
				name: "go-limiter", module: "github.com/sethvargo/go-limiter",
				settings: "httplimit, IPKeyFunc; X-RateLimit fields, a refusal is a line of text", loop: served(theirs.Handle(next)),
			}},
		}, nil
	}
}

// served returns the loop of a handler: each worker serves one client, with a response of its own.
func served(h http.Handler) func(worker int) func(n int) {
	return func(int) func(int) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		w := headerSink{make(http.Header)}
		return func(n int) {
			for range n {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		}
	}
}
