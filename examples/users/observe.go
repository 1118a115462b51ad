package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scopeName is the instrumentation scope of this service's own spans and metrics.
const scopeName = "github.com/joist-go/joist/examples/users"

// observability is where metrics and traces go.
type observability struct {
	meters   metric.MeterProvider
	traces   trace.TracerProvider
	registry *prometheus.Registry
	stop     []func(context.Context) error
}

// observe sets up metrics for Prometheus to scrape, and traces over OTLP when the standard environment variables name
// an endpoint. Without one nothing is sampled, but requests still have trace ids to find their log lines by. The
// global providers are set, so that libraries which use them are seen as well.
func observe() (*observability, error) {
	obs := &observability{registry: prometheus.NewRegistry()}
	obs.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := promexporter.New(promexporter.WithRegisterer(obs.registry))
	if err != nil {
		return nil, fmt.Errorf("users: metrics: %w", err)
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	traces, err := tracerProvider()
	if err != nil {
		return nil, fmt.Errorf("users: traces: %w", err)
	}
	obs.meters, obs.traces = meters, traces
	obs.stop = []func(context.Context) error{traces.Shutdown, meters.Shutdown}
	otel.SetMeterProvider(meters)
	otel.SetTracerProvider(traces)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return obs, nil
}

func tracerProvider() (*sdktrace.TracerProvider, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())), nil
	}
	exporter, err := otlptracehttp.New(context.Background())
	if err != nil {
		return nil, err
	}
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter)), nil // the sampler is OTEL_TRACES_SAMPLER's
}

// shutdown sends what is left.
func (o *observability) shutdown(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var errs []error
	for _, stop := range o.stop {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}

// traced opens a server span for each request of a route.
func (svc *service) traced(pattern string, next http.Handler) http.Handler {
	tracer := svc.traces.Tracer(scopeName)
	opts := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	name := "GET " + pattern
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if r.Header["Traceparent"] != nil {
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		ctx, span := tracer.Start(ctx, name, opts...)
		defer span.End()
		if !span.IsRecording() {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(sw, r.WithContext(ctx))
		span.SetAttributes(attribute.String("http.route", pattern), attribute.String("http.request.method", r.Method),
			attribute.Int("http.response.status_code", sw.status))
	})
}

// statusWriter remembers the status for the span.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// withTraceIDs adds the ids of the current span to each log line.
type withTraceIDs struct{ slog.Handler }

// Handle implements slog.Handler.
func (h withTraceIDs) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h withTraceIDs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withTraceIDs{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h withTraceIDs) WithGroup(name string) slog.Handler {
	return withTraceIDs{h.Handler.WithGroup(name)}
}
