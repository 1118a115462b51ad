package ratelimit_test

import (
	"context"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/joist-go/joist/ratelimit"
)

func newLimiter(tb testing.TB, limit ratelimit.Limit) *ratelimit.Limiter {
	tb.Helper()
	l, err := ratelimit.New(ratelimit.Options{Name: "test", Limits: []ratelimit.Limit{limit}})
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func newKeyed(tb testing.TB, limit ratelimit.Limit, maxKeys int) *ratelimit.Keyed[string] {
	tb.Helper()
	k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Name: "test", Limits: []ratelimit.Limit{limit}, MaxKeys: maxKeys})
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// meters is a provider whose observable counters are read by collect.
type meters struct {
	noop.MeterProvider
	mu        sync.Mutex
	scope     string
	callbacks []metric.Callback
	sums      map[string]int64
}

func (m *meters) Meter(scope string, _ ...metric.MeterOption) metric.Meter {
	m.scope = scope
	return &meter{provider: m}
}

// collect returns the value of each series, by name{unit}{attributes}.
func (m *meters) collect(t *testing.T) map[string]int64 {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sums = make(map[string]int64)
	for _, read := range m.callbacks {
		if err := read(t.Context(), observer{provider: m}); err != nil {
			t.Error(err)
		}
	}
	return m.sums
}

type meter struct {
	noop.Meter
	provider *meters
}

func (m *meter) Int64ObservableCounter(name string, o ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return counter{series: name + metric.NewInt64ObservableCounterConfig(o...).Unit()}, nil
}

func (m *meter) RegisterCallback(read metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	m.provider.callbacks = append(m.provider.callbacks, read)
	return noop.Registration{}, nil
}

type counter struct {
	noop.Int64ObservableCounter
	series string
}

type observer struct {
	noop.Observer
	provider *meters
}

func (o observer) ObserveInt64(instrument metric.Int64Observable, value int64, opts ...metric.ObserveOption) {
	attrs := metric.NewObserveConfig(opts).Attributes()
	o.provider.sums[instrument.(counter).series+"{"+attrs.Encoded(attribute.DefaultEncoder())+"}"] += value
}

// span records the events that are added to it.
type span struct {
	nooptrace.Span
	deaf   bool // does not record
	events []string
}

func (s *span) IsRecording() bool { return !s.deaf }

func (s *span) AddEvent(name string, o ...trace.EventOption) {
	config := trace.NewEventConfig(o...)
	attrs := attribute.NewSet(config.Attributes()...)
	s.events = append(s.events, name+"{"+attrs.Encoded(attribute.DefaultEncoder())+"}")
}

func nothing(context.Context) error { return nil }
