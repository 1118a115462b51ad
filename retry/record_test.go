package retry_test

import (
	"context"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// meters records what instruments observe and record, by name and the value of their enum.
type meters struct {
	metricnoop.MeterProvider

	scope     string
	callbacks []metric.Callback
	got       map[string]float64
}

func (m *meters) Meter(scope string, _ ...metric.MeterOption) metric.Meter {
	m.scope = scope
	return meter{m: m}
}

type meter struct {
	metricnoop.Meter
	m *meters
}

type counter struct {
	metricnoop.Int64ObservableCounter
	name string
}

func (m meter) Int64ObservableCounter(name string, _ ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return counter{name: name}, nil
}

// attrText writes a set of attributes down, in the order of their keys.
func attrText(set attribute.Set) string { return "{" + set.Encoded(attribute.DefaultEncoder()) + "}" }

func (m meter) RegisterCallback(f metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	m.m.callbacks = append(m.m.callbacks, f)
	return metricnoop.Registration{}, nil
}

type histogram struct {
	metricnoop.Float64Histogram
	name string
	m    *meters
}

func (m meter) Float64Histogram(name string, _ ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return histogram{name: name, m: m.m}, nil
}

func (h histogram) Record(_ context.Context, v float64, o ...metric.RecordOption) {
	config := metric.NewRecordConfig(o)
	h.m.got[h.name+attrText(config.Attributes())] += v
}

type observer struct {
	metricnoop.Observer
	m *meters
}

func (o observer) ObserveInt64(i metric.Int64Observable, v int64, opts ...metric.ObserveOption) {
	config := metric.NewObserveConfig(opts)
	o.m.got[i.(counter).name+attrText(config.Attributes())] = float64(v) //nolint:forcetypeassert // made above
}

func (m *meters) collect(t *testing.T) map[string]float64 {
	t.Helper()
	for _, f := range m.callbacks {
		if err := f(t.Context(), observer{m: m}); err != nil {
			t.Error(err)
		}
	}
	return m.got
}

// spans records spans and their events.
type spans struct {
	tracenoop.TracerProvider

	mu  sync.Mutex
	all []*span
}

type tracer struct {
	tracenoop.Tracer
	to *spans
}

type span struct {
	tracenoop.Span
	name   string
	parent trace.Span
	attrs  attribute.Set
	events []string
	status codes.Code
	ended  bool
}

func (s *spans) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{to: s} }

func (t tracer) Start(ctx context.Context, name string, o ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(o...)
	s := &span{name: name, parent: trace.SpanFromContext(ctx), attrs: attribute.NewSet(config.Attributes()...)}
	t.to.mu.Lock()
	defer t.to.mu.Unlock()
	t.to.all = append(t.to.all, s)
	return trace.ContextWithSpan(ctx, s), s
}

func (s *span) IsRecording() bool                { return true }
func (s *span) End(...trace.SpanEndOption)       { s.ended = true }
func (s *span) SetStatus(c codes.Code, _ string) { s.status = c }

func (s *span) AddEvent(name string, o ...trace.EventOption) {
	config := trace.NewEventConfig(o...)
	s.events = append(s.events, name+attrText(attribute.NewSet(config.Attributes()...)))
}
