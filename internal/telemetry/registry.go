package telemetry

import (
	"context"
	"reflect"
	"runtime"
	"sync"
	"weak"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// NameKey is the attribute that holds a block's Name.
const NameKey = attribute.Key("joist.name")

// DefaultName is the Name of a block that was given none.
const DefaultName = "default"

// Meter makes the instruments of one block. It is made with [NewMeter] and used during construction only.
type Meter struct {
	registry *registry
	name     attribute.KeyValue
}

// NewMeter returns the meter of a block called name (DefaultName if empty) in the package with the given
// instrumentation scope. A nil provider is the global one.
func NewMeter(provider metric.MeterProvider, scope, name string) *Meter {
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	if name == "" {
		name = DefaultName
	}
	return &Meter{registry: registryOf(provider, scope), name: NameKey.String(name)}
}

// Counter describes an observable counter: one series per entry of Series, whose attributes stand beside the block's
// name. An empty Series is one series with the name alone.
type Counter struct {
	Name, Unit, Description string
	Series                  [][]attribute.KeyValue
}

// Words returns how many counting words c takes: one per series.
func (c Counter) Words() int { return max(1, len(c.Series)) }

// Gauge describes what a block has now, observed while the block lives and summed over the blocks of one name. With
// UpDown it is an observable up-down counter, else a gauge.
type Gauge struct {
	Name, Unit, Description string
	Series                  [][]attribute.KeyValue
	UpDown                  bool
}

// Words returns how many values g reads: one per series.
func (g Gauge) Words() int { return max(1, len(g.Series)) }

// Observe attaches the words of source to counters, which take consecutive words in their order. When owner, the
// block, is collected, its totals stay. The source must not reach the owner, or neither is ever collected.
func Observe[T any](m *Meter, owner *T, source Source, counters ...Counter) {
	first := 0
	for _, c := range counters {
		attach(m, owner, m.registry.counter(c), c.Series, &attachment{first: first, total: strong(source)})
		first += c.Words()
	}
}

// ObserveGauges attaches to gauges, which take consecutive words in their order, what read says of the owner. The
// read function must not reach the owner by itself. It is called at collection and must not block.
func ObserveGauges[T any](m *Meter, owner *T, read func(owner *T, word int) int64, gauges ...Gauge) {
	ref := weak.Make(owner)
	total := func(word int) (int64, bool) {
		if owner := ref.Value(); owner != nil {
			return read(owner, word), true
		}
		return 0, false
	}
	first := 0
	for _, g := range gauges {
		attach(m, owner, m.registry.gauge(g), g.Series, &attachment{first: first, total: total})
		first += g.Words()
	}
}

func strong(source Source) func(int) (int64, bool) {
	return func(word int) (int64, bool) { return source.Total(word), true }
}

// attach ties a to the series of f until the owner is collected.
func attach[T any](m *Meter, owner *T, f *family, series [][]attribute.KeyValue, a *attachment) {
	f.attach(a, m.name, orOne(series))
	runtime.AddCleanup(owner, f.detach, a)
}

// registries hold what must outlive every block, by provider and scope. A provider is a process-wide thing, so an
// entry is never removed: without it, the next block of the same name would start a second series.
var registries struct {
	sync.Mutex
	byKey map[registryKey]*registry
}

type registryKey struct {
	provider metric.MeterProvider
	scope    string
}

func registryOf(provider metric.MeterProvider, scope string) *registry {
	if !reflect.ValueOf(provider).Comparable() { // of the value: what is comparable by its type may hold what is not
		return newRegistry(provider, scope) // cannot be recognized again, so it cannot be shared
	}
	registries.Lock()
	defer registries.Unlock()
	key := registryKey{provider, scope}
	r := registries.byKey[key]
	if r == nil {
		r = newRegistry(provider, scope)
		if registries.byKey == nil {
			registries.byKey = make(map[registryKey]*registry)
		}
		registries.byKey[key] = r
	}
	return r
}

// registry holds the families of one scope with one provider.
type registry struct {
	meter metric.Meter

	mu       sync.Mutex // held while instruments are made, so it is never taken by a callback
	families map[string]*family
}

func newRegistry(provider metric.MeterProvider, scope string) *registry {
	return &registry{
		meter:    provider.Meter(scope, metric.WithInstrumentationVersion(Version)),
		families: make(map[string]*family),
	}
}

func (r *registry) counter(c Counter) *family {
	return r.family(c.Name, true, func() (metric.Int64Observable, error) {
		return r.meter.Int64ObservableCounter(c.Name, metric.WithUnit(c.Unit), metric.WithDescription(c.Description))
	})
}

func (r *registry) gauge(g Gauge) *family {
	return r.family(g.Name, false, func() (metric.Int64Observable, error) {
		if g.UpDown {
			return r.meter.Int64ObservableUpDownCounter(g.Name, metric.WithUnit(g.Unit), metric.WithDescription(g.Description))
		}
		return r.meter.Int64ObservableGauge(g.Name, metric.WithUnit(g.Unit), metric.WithDescription(g.Description))
	})
}

// family returns the family of an instrument, which it makes and registers at first sight. A provider that refuses is
// reported to OpenTelemetry's error handler: telemetry never fails a block.
func (r *registry) family(name string, monotonic bool, create func() (metric.Int64Observable, error)) *family {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.families[name]; f != nil {
		return f
	}
	f := newFamily(monotonic)
	r.families[name] = f
	instrument, err := create()
	if err != nil {
		otel.Handle(err)
		return f
	}
	_, err = r.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		f.observe(func(value int64, opts []metric.ObserveOption) { o.ObserveInt64(instrument, value, opts...) })
		return nil
	}, instrument)
	if err != nil {
		otel.Handle(err)
	}
	return f
}
