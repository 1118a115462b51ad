package bulkheadhttp

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/joist-go/joist/internal/problemhttp"
	"github.com/joist-go/joist/pool/bulkhead"
)

// Options describes a [Middleware]. The zero Options are valid. Name and telemetry are those of the bulkhead.
type Options struct {
	// Priority returns what a request is worth. nil leaves it at what the request's context carries. It is called once
	// per request, by the goroutine that serves it, and should not trust what any client can write.
	Priority func(*http.Request) bulkhead.Priority

	// Outcome tells what an answer's status says about load, for an adaptive limit. nil is [OutcomeOf]. It is not asked
	// when the request's context has ended by the time of the answer. The status of a connection that the handler has
	// taken over is 101.
	Outcome func(status int) bulkhead.Outcome
}

// OutcomeOf is what [Options].Outcome is when it is nil: 429, 503 and 504 are Dropped, any other 5xx and 101 are
// Ignored, and all else has Succeeded.
func OutcomeOf(status int) bulkhead.Outcome {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return bulkhead.Dropped
	case status >= http.StatusInternalServerError, status == http.StatusSwitchingProtocols:
		return bulkhead.Ignored
	default:
		return bulkhead.Succeeded
	}
}

// Middleware returns what wraps a handler so that each request needs a slot of b; see the package's documentation for
// what a request without one gets. It panics if b or the handler is nil. A panic of the handler gives the slot back and
// goes on. The price of a request is that of [bulkhead.Bulkhead.Do], and 3 allocations.
//
// The handler gets a ResponseWriter that passes on Flush, Hijack and ReadFrom, and that [http.ResponseController] sees
// through.
func Middleware(b *bulkhead.Bulkhead, o Options) func(http.Handler) http.Handler {
	if b == nil {
		panic("joist/bulkheadhttp: Middleware needs a bulkhead, but it is nil")
	}
	if o.Outcome == nil {
		o.Outcome = OutcomeOf
	}
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("joist/bulkheadhttp: Middleware wraps a handler, but it is nil")
		}
		return &limited{bulkhead: b, priority: o.Priority, outcome: o.Outcome, next: next}
	}
}

// limited is a handler behind a bulkhead.
type limited struct {
	bulkhead *bulkhead.Bulkhead
	priority func(*http.Request) bulkhead.Priority
	outcome  func(status int) bulkhead.Outcome
	next     http.Handler
}

// The errors by which the outcome of an answer reaches the bulkhead.
var (
	errDrop   = bulkhead.Drop(errors.New("joist/bulkheadhttp: overloaded"))
	errIgnore = bulkhead.Ignore(errors.New("joist/bulkheadhttp: failed"))
)

func (h *limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if h.priority != nil {
		ctx = bulkhead.WithPriority(ctx, h.priority(r)) // for the queue; the handler's context stays as it is
	}
	served := false
	err := h.bulkhead.Do(ctx, func(ctx context.Context) error {
		served = true
		answer := &recorder{ResponseWriter: w}
		h.next.ServeHTTP(answer, r)
		if ended := ctx.Err(); ended != nil {
			return ended // the bulkhead knows whose end it was
		}
		switch h.outcome(answer.code()) {
		case bulkhead.Dropped:
			return errDrop
		case bulkhead.Ignored:
			return errIgnore
		default:
			return nil
		}
	})
	if !served {
		refuse(w, err)
	}
}

var (
	full = problemhttp.Of(http.StatusServiceUnavailable, "Too many requests are being worked on.")
	late = problemhttp.Of(http.StatusGatewayTimeout, "The request's deadline had passed before work on it began.")
	gone = problemhttp.Of(http.StatusServiceUnavailable, "The client closed the connection.")
)

// refuse answers a request whose handler was not called.
func refuse(w http.ResponseWriter, err error) {
	values := new([2]string)
	e, ok := errors.AsType[*bulkhead.FullError](err)
	switch {
	case ok:
		values[1] = strconv.FormatInt(max(problemhttp.Seconds(e.RetryAfter()), 1), 10)
		w.Header()["Retry-After"] = values[1:2:2]
		problemhttp.Write(w, values[:1], http.StatusServiceUnavailable, full)
	case errors.Is(err, context.DeadlineExceeded):
		problemhttp.Write(w, values[:1], http.StatusGatewayTimeout, late)
	default:
		problemhttp.Write(w, values[:1], http.StatusServiceUnavailable, gone)
	}
}
