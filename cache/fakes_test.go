package cache_test

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// tracing is a tracer provider that keeps the spans it makes.
type tracing struct {
	tracenoop.TracerProvider

	mu    sync.Mutex
	spans []*span
}

type tracer struct {
	tracenoop.Tracer
	provider *tracing
	scope    string
}

// span keeps what it is told.
type span struct {
	tracenoop.Span

	scope, name string
	self        trace.SpanContext
	parent      trace.SpanContext

	mu     sync.Mutex
	attrs  []attribute.KeyValue
	events []string
	links  []trace.SpanContext
	status codes.Code
	ended  int
}

func (p *tracing) Tracer(scope string, _ ...trace.TracerOption) trace.Tracer {
	return tracer{provider: p, scope: scope}
}

func (t tracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	parent := trace.SpanContextFromContext(ctx)
	p := t.provider
	p.mu.Lock()
	defer p.mu.Unlock()
	id := parent.TraceID()
	if !parent.IsValid() {
		binary.BigEndian.PutUint64(id[:], uint64(len(p.spans))+1)
	}
	config := trace.NewSpanStartConfig(opts...)
	var spanID trace.SpanID
	binary.BigEndian.PutUint64(spanID[:], uint64(len(p.spans))+1)
	s := &span{
		scope: t.scope, name: name, parent: parent,
		self:  trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: spanID}),
		attrs: config.Attributes(),
	}
	p.spans = append(p.spans, s)
	return trace.ContextWithSpan(ctx, s), s
}

// named returns the spans of that name.
func (p *tracing) named(name string) []*span {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.spans), func(s *span) bool { return s.name != name })
}

func (s *span) IsRecording() bool              { return true }
func (s *span) SpanContext() trace.SpanContext { return s.self }

func (s *span) End(...trace.SpanEndOption) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
}

func (s *span) AddEvent(name string, _ ...trace.EventOption) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, name)
}

func (s *span) AddLink(l trace.Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = append(s.links, l.SpanContext)
}

func (s *span) SetStatus(code codes.Code, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = code
}

func (s *span) SetAttributes(attrs ...attribute.KeyValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attrs = append(s.attrs, attrs...)
}

// attr returns the value of an attribute as text, "" without it.
func (s *span) attr(key attribute.Key) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range slices.Backward(s.attrs) {
		if a.Key == key {
			return a.Value.Emit()
		}
	}
	return ""
}

// metering is a meter provider that can be read.
type metering struct {
	metricnoop.MeterProvider

	mu        sync.Mutex
	callbacks []metric.Callback
	values    map[string]int64 // instrument and attributes to value, of observable instruments and counts of records
}

type meter struct {
	metricnoop.Meter
	provider *metering
	scope    string
}

type histogram struct {
	metricnoop.Float64Histogram
	provider *metering
	name     string
}

type observer struct {
	metricnoop.Observer
	provider *metering
}

func (p *metering) Meter(scope string, _ ...metric.MeterOption) metric.Meter {
	return meter{provider: p, scope: scope}
}

type observableCounter struct {
	metricnoop.Int64ObservableCounter
	name string
}

type observableGauge struct {
	metricnoop.Int64ObservableGauge
	name string
}

func (m meter) Int64ObservableCounter(name string, opts ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return observableCounter{name: described(m.scope, name, metric.NewInt64ObservableCounterConfig(opts...).Unit())}, nil
}

func (m meter) Int64ObservableGauge(name string, opts ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	return observableGauge{name: described(m.scope, name, metric.NewInt64ObservableGaugeConfig(opts...).Unit())}, nil
}

func (m meter) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	unit := metric.NewFloat64HistogramConfig(opts...).Unit()
	return histogram{provider: m.provider, name: described(m.scope, name, unit)}, nil
}

func (m meter) RegisterCallback(f metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	m.provider.mu.Lock()
	defer m.provider.mu.Unlock()
	m.provider.callbacks = append(m.provider.callbacks, f)
	return metricnoop.Registration{}, nil
}

func described(scope, name, unit string) string { return scope + " " + name + " " + unit }

func (o observer) ObserveInt64(of metric.Int64Observable, value int64, opts ...metric.ObserveOption) {
	var name string
	switch of := of.(type) {
	case observableCounter:
		name = of.name
	case observableGauge:
		name = of.name
	}
	set := metric.NewObserveConfig(opts).Attributes()
	o.provider.put(name, &set, func(int64) int64 { return value })
}

func (h histogram) Record(_ context.Context, _ float64, opts ...metric.RecordOption) {
	set := metric.NewRecordConfig(opts).Attributes()
	h.provider.put(h.name, &set, func(n int64) int64 { return n + 1 })
}

func (p *metering) put(name string, set *attribute.Set, change func(int64) int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.values == nil {
		p.values = make(map[string]int64)
	}
	key := name + " " + set.Encoded(attribute.DefaultEncoder())
	p.values[key] = change(p.values[key])
}

// collect returns every value that is not 0.
func (p *metering) collect() map[string]int64 {
	p.mu.Lock()
	callbacks := slices.Clone(p.callbacks)
	p.mu.Unlock()
	for _, f := range callbacks {
		_ = f(context.Background(), observer{provider: p})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	found := make(map[string]int64)
	for key, value := range p.values {
		if value != 0 {
			found[key] = value
		}
	}
	return found
}
