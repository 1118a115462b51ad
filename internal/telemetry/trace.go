package telemetry

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// NewTracer returns the tracer of a package with the given instrumentation scope. A nil provider is the global one.
func NewTracer(provider trace.TracerProvider, scope string) trace.Tracer {
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	return provider.Tracer(scope, trace.WithInstrumentationVersion(Version))
}

// Event adds an event about the block called name to the span of ctx, if there is one that records. Attributes are
// closed enums and numbers, never keys, values or texts of errors.
func Event(ctx context.Context, event, name string, attrs ...attribute.KeyValue) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.AddEvent(event, trace.WithAttributes(NameKey.String(name)), trace.WithAttributes(attrs...))
}
