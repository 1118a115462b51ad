package flight_test

import (
	"context"
	"maps"
	"runtime"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/pool/flight"
)

// meters is a meter provider with what a test needs of an SDK: it keeps the callbacks and collects from them.
type meters struct {
	noop.MeterProvider
	scope       string
	version     string
	instruments map[string]metric.Int64ObservableCounterConfig
	callbacks   []metric.Callback
}

type meter struct {
	noop.Meter
	of *meters
}

type counter struct {
	noop.Int64ObservableCounter
	name string
}

func (p *meters) Meter(scope string, o ...metric.MeterOption) metric.Meter {
	p.scope, p.version = scope, metric.NewMeterConfig(o...).InstrumentationVersion()
	return meter{of: p}
}

func (m meter) Int64ObservableCounter(name string, o ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	if m.of.instruments == nil {
		m.of.instruments = make(map[string]metric.Int64ObservableCounterConfig)
	}
	m.of.instruments[name] = metric.NewInt64ObservableCounterConfig(o...)
	return counter{name: name}, nil
}

func (m meter) RegisterCallback(f metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	m.of.callbacks = append(m.of.callbacks, f)
	return noop.Registration{}, nil
}

type observer struct {
	noop.Observer
	got map[string]int64
}

func (o observer) ObserveInt64(of metric.Int64Observable, v int64, opts ...metric.ObserveOption) {
	set := metric.NewObserveConfig(opts).Attributes()
	o.got[of.(counter).name+" "+set.Encoded(attribute.DefaultEncoder())] = v
}

// collect returns what is observed now: instrument and attributes to value.
func (p *meters) collect(t *testing.T) map[string]int64 {
	t.Helper()
	o := observer{got: make(map[string]int64)}
	for _, f := range p.callbacks {
		if err := f(context.Background(), o); err != nil {
			t.Error(err)
		}
	}
	return o.got
}

func TestCallsAreCountedByTheirRole(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		p := &meters{}
		g := newGroup(t, flight.Options{Name: "users", MeterProvider: p})
		gate := make(chan struct{})
		leader := call(ctx, g, "k", after(gate, 1))
		for range 3 {
			call(ctx, g, "k", answers(0))
		}
		call(ctx, g, "other", answers(0)).want(t, 0, false, nil)
		close(gate)
		leader.want(t, 1, false, nil)
		want := map[string]int64{
			"joist.flight.calls joist.flight.role=leader,joist.name=users": 2,
			"joist.flight.calls joist.flight.role=shared,joist.name=users": 3,
		}
		if got := p.collect(t); !maps.Equal(got, want) {
			t.Errorf("collected %v, want %v", got, want)
		}
		if i := p.instruments["joist.flight.calls"]; i.Unit() != "{call}" || i.Description() == "" {
			t.Errorf("unit %q, description %q", i.Unit(), i.Description())
		}
		if p.scope != flight.ScopeName || p.version != flight.Version {
			t.Errorf("scope %q %q", p.scope, p.version)
		}
		runtime.KeepAlive(g)
	})
}

func TestTheCountersOfADroppedGroupStay(t *testing.T) {
	p := &meters{}
	g := newGroup(t, flight.Options{Name: "users", MeterProvider: p})
	collected := make(chan struct{})
	runtime.AddCleanup(g, func(done chan struct{}) { close(done) }, collected)
	if _, err := g.Do(t.Context(), "k", answers(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Do(context.Background(), "k", answers(1)); err != nil {
		t.Fatal(err)
	}
	g = nil
	for dropped := false; !dropped; {
		runtime.GC()
		select {
		case <-collected:
			dropped = true
		case <-t.Context().Done():
			t.Fatal("the group was never collected")
		default:
			runtime.Gosched()
		}
	}
	if got := p.collect(t)["joist.flight.calls joist.flight.role=leader,joist.name=users"]; got != 2 {
		t.Errorf("%d calls after the group was dropped, want 2", got)
	}
}

// span keeps the names of the events that are added to it.
type span struct {
	trace.Span
	events []string
}

func (s *span) IsRecording() bool                            { return true }
func (s *span) AddEvent(name string, _ ...trace.EventOption) { s.events = append(s.events, name) }

func TestARefusalIsAnEventOnTheCallersSpan(t *testing.T) {
	g := newGroup(t, flight.Options{})
	if err := g.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &span{Span: trace.SpanFromContext(context.Background())}
	if _, err := g.Do(trace.ContextWithSpan(t.Context(), s), "k", answers(1)); err == nil {
		t.Fatal("a closed group has answered")
	}
	if len(s.events) != 1 || s.events[0] != "joist.flight.refused" {
		t.Errorf("events %q", s.events)
	}
}
