package retryhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/telemetry"
)

// Attributes of an attempt's span, from OpenTelemetry's semantic conventions for HTTP clients. The URL is left out: it
// may hold keys and credentials.
const (
	methodKey      = attribute.Key("http.request.method")
	resendCountKey = attribute.Key("http.request.resend_count")
	statusKey      = attribute.Key("http.response.status_code")
	errorTypeKey   = attribute.Key("error.type")
)

// send makes one attempt in a span of its own, which ends when the header is there. Where no span is recorded, the attempt
// stays in the caller's, so that the blocks inside can add their events to that.
func (x *exchange) send(req *http.Request) (*http.Response, error) {
	ctx, span := x.t.tracer.Start(req.Context(), spanName(req.Method), trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	if !span.IsRecording() {
		if !span.SpanContext().IsValid() { // there is no tracing here, but perhaps a span from elsewhere to tell about
			ctx = req.Context()
		}
		return x.limited(propagated(ctx, req))
	}
	req = propagated(ctx, req.WithContext(ctx))
	span.SetAttributes(telemetry.NameKey.String(x.t.name), methodKey.String(methodName(req.Method)))
	if x.attempts > 1 {
		span.SetAttributes(resendCountKey.Int(x.attempts - 1))
	}
	resp, err := x.limited(req)
	if err != nil {
		span.SetAttributes(errorTypeKey.String(telemetry.ErrorType(err)))
		span.SetStatus(codes.Error, "")
		return nil, err
	}
	span.SetAttributes(statusKey.Int(resp.StatusCode))
	if resp.StatusCode >= 400 {
		span.SetAttributes(errorTypeKey.String(strconv.Itoa(resp.StatusCode)))
		span.SetStatus(codes.Error, "")
	}
	return resp, nil
}

// propagated returns req with what the global propagator, if there is one, tells the server about the span of ctx: also
// that it is not recorded, so that the server does not decide anew and record half a trace.
func propagated(ctx context.Context, req *http.Request) *http.Request {
	p := otel.GetTextMapPropagator()
	if len(p.Fields()) == 0 {
		return req
	}
	told := *req // the header is still the caller's
	if told.Header = req.Header.Clone(); told.Header == nil {
		told.Header = make(http.Header)
	}
	p.Inject(ctx, propagation.HeaderCarrier(told.Header))
	return &told
}

// limited makes one attempt within AttemptTimeout.
//
// The attempt's context must outlive this function, because the body of the answer ends with it. So it is cancelled by
// a timer, which is stopped once the attempt is over, and otherwise when the body is closed.
func (x *exchange) limited(req *http.Request) (*http.Response, error) {
	if x.t.timeout == 0 {
		resp, err := x.roundTrip(req)
		if err != nil {
			return nil, err
		}
		return x.answer(resp, nil), nil
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(x.t.timeout, func() { cancel(context.DeadlineExceeded) })
	handedOver := false
	defer func() { // also when the base panics
		timer.Stop()
		if !handedOver {
			cancel(nil)
		}
	}()

	resp, err := x.roundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, x.timedOut(ctx, err)
	}
	resp = x.answer(resp, cancel)
	if !timer.Stop() && !x.keeps(resp) {
		_ = resp.Body.Close()
		return nil, x.timedOut(ctx, context.Canceled)
	}
	handedOver = true
	return resp, nil
}

// roundTrip asks the base, and makes one outcome of the two that a base may wrongly give.
func (x *exchange) roundTrip(req *http.Request) (*http.Response, error) {
	resp, err := x.t.base.RoundTrip(req)
	switch {
	case err != nil && resp != nil && resp.Body != nil:
		_ = resp.Body.Close()
	case err == nil && resp == nil:
		err = errors.New("joist/retryhttp: the base returned neither an answer nor an error")
	}
	return resp, err
}

// timedOut returns err, or in its place that the attempt took too long, if that is what err comes from. The base may
// report the cancelled context as such, which would look as if the caller had left.
func (x *exchange) timedOut(ctx context.Context, err error) error {
	byTimer := context.Cause(ctx) == context.DeadlineExceeded && x.req.Context().Err() == nil //nolint:errorlint // the timer's own value
	if byTimer && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return timeoutError(x.t.timeout)
	}
	return err
}

// timeoutError is the failure of an attempt that had no answer within its AttemptTimeout.
type timeoutError time.Duration

func (e timeoutError) Error() string {
	return fmt.Sprintf("joist/retryhttp: no answer within %v: %v", time.Duration(e), context.DeadlineExceeded)
}

func (e timeoutError) Unwrap() error { return context.DeadlineExceeded }

// Timeout is what the url.Error of an http.Client asks.
func (e timeoutError) Timeout() bool { return true }

// spanName returns the name of an attempt's span: its method, as the conventions want where the target has no name of
// low cardinality.
func spanName(method string) string {
	if name := methodName(method); name != otherMethod {
		return name
	}
	return "HTTP"
}

// otherMethod stands for all methods that are not well known, which would otherwise be an attribute without bounds.
const otherMethod = "_OTHER"

func methodName(method string) string {
	switch method {
	case "":
		return http.MethodGet
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return otherMethod
}
