package ratelimithttp

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"

	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/problemhttp"
	"github.com/joist-go/joist/internal/telemetry"
	"github.com/joist-go/joist/ratelimit"
)

// Options describes a [Middleware].
type Options struct {
	// Name is the middleware's name in events and log lines: at most 128 bytes without control characters. Default
	// "default". The counters are those of the block behind the taker, under its own name.
	Name string

	// Key returns whose bucket a request takes from. Requests with the same key share a bucket; the empty string is a
	// key like any other. It is called once per request, by the goroutine that serves it. Required.
	Key func(*http.Request) string

	// Logger is where failures of the taker are told, at most one line per 10 seconds, without keys. Default
	// slog.Default().
	Logger *slog.Logger
}

// Middleware returns what wraps a handler so that each request first takes one token from taker. A request that gets
// none is answered with 429, and when the taker fails with 503; see the package's documentation. It panics if taker,
// o.Key or the handler is nil, or if o.Name is not valid.
//
// The request's context is passed to the taker and the handler. The fields are set before the handler runs, which may
// change them. A panic of the handler is not touched. The price of an allowed request is that of the take and 2
// allocations.
func Middleware(taker ratelimit.Taker, o Options) func(http.Handler) http.Handler {
	f := options.Check("joist/ratelimithttp", "Options")
	f.Name(o.Name)
	if o.Key == nil {
		f.Missing("Key")
	}
	if err := f.Err(); err != nil {
		panic(err)
	}
	if taker == nil {
		panic("joist/ratelimithttp: Middleware needs a taker, but it is nil")
	}
	if o.Name == "" {
		o.Name = telemetry.DefaultName
	}
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("joist/ratelimithttp: Middleware wraps a handler, but it is nil")
		}
		return &limited{
			taker: taker,
			key:   o.Key,
			next:  next,
			name:  o.Name,
			log:   telemetry.NewLog(o.Logger, "joist/ratelimithttp", o.Name),
		}
	}
}

// limited is a handler behind a limit.
type limited struct {
	taker ratelimit.Taker
	key   func(*http.Request) string
	next  http.Handler
	name  string
	log   *telemetry.Log
	last  atomic.Pointer[policy] // of the last limit that decided: what does not change from request to request
}

func (h *limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	res, err := h.taker.Take(r.Context(), h.key(r), 1)
	if err != nil {
		h.unavailable(w, r, err)
		return
	}
	p := h.policy(res.Limit)
	v := new(values)
	p.setFields(w.Header(), v, res)
	if !res.Allowed {
		if !res.Never {
			// Never before t, which is the same wait in a refusal, nor while a limit around this one would refuse.
			wait := max(problemhttp.Seconds(res.RetryAfter), spentFor(w.Header()), 1)
			v.set(w.Header(), "Retry-After", retryAfterValue, strconv.FormatInt(wait, 10))
		}
		telemetry.Event(r.Context(), "joist.ratelimit.limited", h.name, attribute.String("joist.ratelimit.limit", res.Limit.Name))
		writeProblem(w, v, http.StatusTooManyRequests, p.problem)
		return
	}
	h.next.ServeHTTP(w, r)
}

// policy returns what is said about a limit. There is mostly one per handler, so that the last one is kept.
func (h *limited) policy(limit ratelimit.Limit) *policy {
	if p := h.last.Load(); p != nil && p.limit == limit {
		return p
	}
	p := newPolicy(limit)
	h.last.Store(p)
	return p
}

func (h *limited) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	if gone := r.Context().Err(); gone == nil || !errors.Is(err, gone) {
		h.log.Warn(context.WithoutCancel(r.Context()), "take failed", err)
	}
	writeProblem(w, new(values), http.StatusServiceUnavailable, unavailable)
}
