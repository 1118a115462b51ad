package retryhttp

import (
	"context"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/joist-go/joist/internal/attempt"
)

// The header fields that tell a server about the call behind a request. [Transport] sends them, [Handler] reads them.
const (
	// AttemptHeader has the number of the attempt, 2 or more. A first attempt is sent without.
	AttemptHeader = "Joist-Attempt"
	// TimeoutHeader has the time in whole milliseconds for which the answer is waited for. It is a span and not a moment,
	// so that the clocks of the two need not agree.
	TimeoutHeader = "Joist-Timeout"
)

// outgoing is what one attempt sends.
type outgoing struct {
	ctx     context.Context
	told    context.Context // has the span that the server is told about
	changed bool            // ctx or body is not that of the caller's request
	body    io.ReadCloser
	limit   time.Duration // of the time until the answer's header, 0 for none but ctx's deadline
}

// request returns the caller's own request if that will do, and else a shallow copy of it: with the attempt's context and
// body, and with a header that tells the server about the span, the attempt and the time that is left.
func (x *exchange) request(out outgoing) *http.Request {
	number, left := x.toTell(out)
	propagator := otel.GetTextMapPropagator()
	propagates := len(propagator.Fields()) > 0
	adds := number != "" || left != "" || propagates
	if !out.changed && !adds {
		return x.req
	}
	req := x.req.WithContext(out.ctx)
	req.Body = out.body
	if !adds {
		return req
	}
	// The header is still the caller's. Its values are never written to, so that they can be shared.
	if req.Header = maps.Clone(x.req.Header); req.Header == nil {
		req.Header = make(http.Header, 2)
	}
	if propagates { // also that the span is not recorded, so that the server does not decide anew and record half a trace
		propagator.Inject(out.told, propagation.HeaderCarrier(req.Header))
	}
	if number != "" {
		req.Header[AttemptHeader] = []string{number}
	}
	if left != "" {
		req.Header[TimeoutHeader] = []string{left}
	}
	return req
}

// toTell returns the attempt's number and the time that it has left as the header has them, "" for what is not sent.
func (x *exchange) toTell(out outgoing) (number, left string) {
	if x.t.omitHeaders {
		return "", ""
	}
	if n := attempt.From(out.ctx); n > 1 && !has(x.req.Header, AttemptHeader) {
		number = strconv.Itoa(n)
	}
	limit, limited := out.limit, out.limit > 0
	if deadline, ok := out.ctx.Deadline(); ok {
		if until := time.Until(deadline); !limited || until < limit {
			limit, limited = until, true
		}
	}
	if limited && !has(x.req.Header, TimeoutHeader) {
		left = strconv.FormatInt(max(limit.Milliseconds(), 0), 10)
	}
	return number, left
}

// has tells whether a field is set, perhaps to nothing.
func has(header http.Header, field string) bool {
	_, ok := header[field]
	return ok
}
