package ratelimithttp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

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
	// key like any other, and a key of more than MaxKey bytes is hashed. It is called once per request, by the goroutine
	// that serves it. [ClientIP], [Header], [Cookie], [Pattern], [Keys] and [FirstOf] make one. Required.
	Key func(*http.Request) string

	// Policies are the limits that RateLimit-Policy tells in every answer, in this order: those behind the taker, if
	// there are several. RateLimit tells how the one stands that decided, which is told as a policy, too, if it is not
	// among them. Limits without fields, such as shadows, are left out. Default none: the limit that decided alone.
	Policies []ratelimit.Limit

	// LegacyFields adds X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset for clients that know nothing
	// else: the Burst, what remains of it, and the seconds until it is full, of the limit that decided. Default false.
	LegacyFields bool

	// Logger is where failures of the taker are told, at most one line per 10 seconds, without keys. Default
	// slog.Default().
	Logger *slog.Logger
}

// Middleware returns what wraps a handler so that each request first takes one token from taker. A request that gets
// none is answered with 429, and when the taker fails with 503; see the package's documentation. It panics if taker,
// o.Key or the handler is nil, or if o.Name or a limit of o.Policies is not valid.
//
// The request's context is passed to the taker and the handler. The fields are set before the handler runs, which may
// change them. A panic of the handler is not touched. The price of an allowed request is that of the key, the
// take and 2 allocations, and 2 more with the legacy fields.
func Middleware(taker ratelimit.Taker, o Options) func(http.Handler) http.Handler {
	f := options.Check("joist/ratelimithttp", "Options")
	f.Name(o.Name)
	if o.Key == nil {
		f.Missing("Key")
	}
	for i, l := range o.Policies {
		f.Require(valid(l), fmt.Sprintf("Policies[%d]", i), l.String(), "must be a limit that ratelimit.New takes")
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
	told := newPolicies(o.Policies)
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("joist/ratelimithttp: Middleware wraps a handler, but it is nil")
		}
		return &limited{
			taker:    taker,
			key:      o.Key,
			next:     next,
			name:     o.Name,
			policies: told,
			legacy:   o.LegacyFields,
			log:      telemetry.NewLog(o.Logger, "joist/ratelimithttp", o.Name),
		}
	}
}

// limited is a handler behind a limit.
type limited struct {
	taker    ratelimit.Taker
	key      func(*http.Request) string
	next     http.Handler
	name     string
	policies *policies
	legacy   bool
	log      *telemetry.Log
}

func (h *limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	res, err := h.taker.Take(r.Context(), bounded(h.key(r)), 1)
	if err != nil {
		h.unavailable(w, r, err)
		return
	}
	p := h.policies.of(res.Limit)
	v := new(values)
	p.setFields(w.Header(), v, res)
	if h.legacy {
		p.setLegacy(w.Header(), res)
	}
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

func (h *limited) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	if gone := r.Context().Err(); gone == nil || !errors.Is(err, gone) {
		h.log.Warn(context.WithoutCancel(r.Context()), "take failed", err)
	}
	writeProblem(w, new(values), http.StatusServiceUnavailable, unavailable)
}
