package breaker_test

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/joist-go/joist/breaker"
)

// meterProvider keeps the callbacks that are registered, and calls them when asked.
type meterProvider struct {
	noop.MeterProvider
	scope     string
	callbacks []metric.Callback
	described map[string]string // instrument to kind and unit
}

type meter struct {
	noop.Meter
	p *meterProvider
}

type counter struct {
	noop.Int64ObservableCounter
	name string
}

type upDownCounter struct {
	noop.Int64ObservableUpDownCounter
	name string
}

func (p *meterProvider) Meter(name string, _ ...metric.MeterOption) metric.Meter {
	p.scope = name
	p.described = make(map[string]string)
	return meter{p: p}
}

func (m meter) Int64ObservableCounter(name string, o ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	m.p.described[name] = "counter " + metric.NewInt64ObservableCounterConfig(o...).Unit()
	return counter{name: name}, nil
}

func (m meter) Int64ObservableUpDownCounter(name string, o ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	m.p.described[name] = "updown " + metric.NewInt64ObservableUpDownCounterConfig(o...).Unit()
	return upDownCounter{name: name}, nil
}

func (m meter) RegisterCallback(f metric.Callback, _ ...metric.Observable) (metric.Registration, error) {
	m.p.callbacks = append(m.p.callbacks, f)
	return noop.Registration{}, nil
}

// observer writes what is observed as "instrument attribute=value …": value.
type observer struct {
	noop.Observer
	got map[string]int64
}

func (o observer) ObserveInt64(instrument metric.Int64Observable, value int64, opts ...metric.ObserveOption) {
	name := ""
	switch i := instrument.(type) {
	case counter:
		name = i.name
	case upDownCounter:
		name = i.name
	}
	attrs := metric.NewObserveConfig(opts).Attributes()
	var labels []string
	for _, kv := range attrs.ToSlice() {
		labels = append(labels, strings.TrimPrefix(string(kv.Key), "joist.breaker.")+"="+kv.Value.AsString())
	}
	o.got[strings.TrimPrefix(name, "joist.breaker.")+" "+strings.Join(labels, " ")] = value
}

func (p *meterProvider) collect() map[string]int64 {
	o := observer{got: make(map[string]int64)}
	for _, f := range p.callbacks {
		_ = f(context.Background(), o)
	}
	return o.got
}

// wantSeries checks that exactly these series are not 0.
func wantSeries(t *testing.T, p *meterProvider, want map[string]int64) {
	t.Helper()
	got := p.collect()
	maps.DeleteFunc(got, func(series string, v int64) bool { return v == 0 || strings.HasPrefix(series, "mode mode=normal") })
	if !maps.Equal(got, want) {
		t.Fatalf("collected %v\nwant      %v", got, want)
	}
}

func TestMetricsTellOutcomesTransitionsAndTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &meterProvider{}
		b := must(breaker.New(breaker.Options{
			Name: "users", MinCalls: 4, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second, MeterProvider: p,
		}))
		if p.scope != breaker.ScopeName {
			t.Errorf("scope %q", p.scope)
		}
		wantDescribed := map[string]string{
			"joist.breaker.calls": "counter {call}", "joist.breaker.transitions": "counter {transition}", "joist.breaker.status": "updown {breaker}",
			"joist.breaker.mode": "updown {breaker}",
		}
		if !maps.Equal(p.described, wantDescribed) {
			t.Errorf("instruments %v", p.described)
		}
		if series := slices.Sorted(maps.Keys(p.collect())); len(series) != 6+5+3+5 {
			t.Errorf("series %q", series)
		}
		_ = b.Do(t.Context(), func(context.Context) error { return breaker.Ignore(errDown) })
		wantErr(t, succeed(b), nil)
		for range 3 {
			wantErr(t, fail(b), errDown)
		}
		for range 2 {
			wantErr(t, succeed(b), breaker.ErrOpen)
		}
		want := map[string]int64{
			"calls outcome=success joist.name=users":              1,
			"calls outcome=failure joist.name=users":              3,
			"calls outcome=ignored joist.name=users":              1,
			"calls outcome=refused joist.name=users":              2,
			"transitions from=closed to=open joist.name=users":    1,
			"status state=open joist.name=users":                  1,
			"transitions from=open to=half_open joist.name=users": 0,
		}
		maps.DeleteFunc(want, func(_ string, v int64) bool { return v == 0 })
		wantSeries(t, p, want)

		time.Sleep(time.Second) // nobody calls, but the state is told; the collection that finds it may have read the counter before
		p.collect()
		delete(want, "status state=open joist.name=users")
		want["status state=half_open joist.name=users"] = 1
		want["transitions from=open to=half_open joist.name=users"] = 1
		wantSeries(t, p, want)

		wantErr(t, succeed(b), nil)
		delete(want, "status state=half_open joist.name=users")
		want["calls outcome=success joist.name=users"] = 2
		want["status state=closed joist.name=users"] = 1
		want["transitions from=half_open to=closed joist.name=users"] = 1
		wantSeries(t, p, want)
		runtime.KeepAlive(b)
	})
}

func TestATransitionFoundByACollectionIsToldByTheNextCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &meterProvider{}
		var seen []breaker.Transition
		b := must(breaker.New(breaker.Options{
			MinCalls: 1, OpenFor: time.Second, MaxOpenFor: time.Second, MeterProvider: p,
			OnStateChange: func(t breaker.Transition) { seen = append(seen, t) },
		}))
		wantErr(t, fail(b), errDown)
		time.Sleep(time.Second)
		p.collect()
		if len(seen) != 1 {
			t.Fatalf("a collection called the listener: %v", seen)
		}
		wantErr(t, succeed(b), nil)
		if len(seen) != 2 || seen[1].To != breaker.HalfOpen {
			t.Fatalf("told of %v", seen)
		}
	})
}

func TestACollectedBreakersCountsStay(t *testing.T) {
	p := &meterProvider{}
	kept, dropped := must(breaker.New(breaker.Options{MeterProvider: p})), must(breaker.New(breaker.Options{MeterProvider: p}))
	wantErr(t, succeed(kept), nil)
	wantErr(t, fail(dropped), errDown)
	wantErr(t, succeed(dropped), nil)
	const status = "status state=closed joist.name=default"
	if got := p.collect()[status]; got != 2 {
		t.Fatalf("%d breakers are closed, want 2", got)
	}
	runtime.KeepAlive(dropped)
	dropped = nil
	eventually(t, func() bool { return p.collect()[status] == 1 })
	wantErr(t, succeed(kept), nil)
	wantSeries(t, p, map[string]int64{
		"calls outcome=success joist.name=default": 3,
		"calls outcome=failure joist.name=default": 1,
		status: 1,
	})
	runtime.KeepAlive(kept)
}

// eventually runs the garbage collector until done: cleanups run on a goroutine of their own.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for range 1000 {
		runtime.GC()
		if done() {
			return
		}
		runtime.Gosched()
	}
	t.Fatal("it never came")
}

// span records its events.
type span struct {
	tracenoop.Span
	recording bool
	events    []string
}

func (s *span) IsRecording() bool { return s.recording }

func (s *span) AddEvent(name string, o ...trace.EventOption) {
	c := trace.NewEventConfig(o...)
	set := attribute.NewSet(c.Attributes()...)
	s.events = append(s.events, fmt.Sprint(name, " ", set.Encoded(attribute.DefaultEncoder())))
}

func TestRefusalsAndTransitionsAreEventsOnTheCallersSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{Name: "users", MinCalls: 1, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second}))
		s := &span{recording: true}
		ctx := trace.ContextWithSpan(t.Context(), s)
		call := func(err error) { _ = b.Do(ctx, func(context.Context) error { return err }) }
		call(errDown)
		call(nil)
		time.Sleep(time.Second)
		call(nil)
		want := []string{
			"joist.breaker.transition joist.breaker.from=closed,joist.breaker.to=open,joist.name=users",
			"joist.breaker.refused joist.breaker.state=open,joist.name=users",
			"joist.breaker.transition joist.breaker.from=open,joist.breaker.to=half_open,joist.name=users",
			"joist.breaker.transition joist.breaker.from=half_open,joist.breaker.to=closed,joist.name=users",
		}
		if !slices.Equal(s.events, want) {
			t.Fatalf("events:\n%s", strings.Join(s.events, "\n"))
		}
		s.recording, s.events = false, nil
		call(errDown)
		call(nil)
		if s.events != nil {
			t.Fatalf("events on a span that does not record: %q", s.events)
		}
	})
}
