package ratelimithttp

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/joist-go/joist/internal/options"
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

// Middleware returns what wraps a handler so that each request first takes one token from taker, whatever its method. A
// request that gets none is answered with 429, and when the taker fails with 503 or 504; see the package's documentation.
// It panics if taker, o.Key or the handler is nil, or if o.Name or a limit of o.Policies is not valid.
//
// The request's context is passed to the taker. The handler gets the request and the writer as they are, so that it can
// flush and hijack as without the middleware. The fields are set before it runs, and it may change them. A panic of it is
// not touched, and the token stays taken. The price of an allowed request is that of the key, the take and 2 allocations,
// 2 more with the legacy fields, and 2 more for a limit that is not among the last few that have decided.
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
		denial, ok := errors.AsType[*ratelimit.LimitedError](err)
		if !ok {
			h.fail(w, r, err)
			return
		}
		res = denial.Result // of a taker that waits, and has waited in vain
	}
	p := h.policies.of(res.Limit)
	if !res.Allowed {
		h.refuse(w, r, p, res)
		return
	}
	h.tell(w.Header(), new(values), p, res)
	h.next.ServeHTTP(w, r)
}

// tell sets the fields that every answer has.
func (h *limited) tell(header http.Header, v *values, p *policy, res ratelimit.Result) {
	p.setFields(header, v, res)
	if h.legacy {
		p.setLegacy(header, res)
	}
}
