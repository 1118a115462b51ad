package retryhttp

import (
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
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

// clientSpan are the options of every attempt's span, put together once.
var clientSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}

// send makes one attempt in a span of its own, which ends when the header is there. Where no span is recorded, the attempt
// stays in the caller's, so that the blocks inside can add their events to that.
func (x *exchange) send(out outgoing) (*http.Response, error) {
	if x.t.tracer == nil {
		return x.limited(out)
	}
	method := x.req.Method
	ctx, span := x.t.tracer.Start(out.ctx, spanName(method), clientSpan...)
	defer span.End()
	if !span.IsRecording() {
		if span.SpanContext().IsValid() { // otherwise there is no tracing here, but perhaps a span from elsewhere to tell about
			out.told = ctx
		}
		return x.limited(out)
	}
	out.ctx, out.told, out.changed = ctx, ctx, true
	span.SetAttributes(telemetry.NameKey.String(x.t.name), methodKey.String(methodName(method)))
	if x.attempts > 1 {
		span.SetAttributes(resendCountKey.Int(x.attempts - 1))
	}
	resp, err := x.limited(out)
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
