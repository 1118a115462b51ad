package telemetry

import (
	"runtime"
	"testing"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

type block struct{ cell *Cell }

var things = Counter{Name: "joist.test.things", Unit: "{thing}", Series: Series("joist.test.kind", "a", "b")}

// values reads a family by the value of joist.test.kind ("" for none).
func values(f *family) map[string]int64 {
	got := make(map[string]int64)
	f.read()
	for _, s := range f.order {
		if s.fed {
			kind, _ := s.set.Value("joist.test.kind")
			got[kind.AsString()] = s.now
		}
	}
	return got
}

// provider has a size, so that each one is a provider of its own.
type provider struct {
	noop.MeterProvider
	_ int
}

func newMeter() *Meter { return NewMeter(&provider{}, "joist/test", "x") }

func newBlock(m *Meter) *block {
	b := &block{cell: NewCell(things.Words())}
	Observe(m, b, b.cell, things)
	return b
}

func TestACounterSharedByNameNeverGoesDownWhenABlockIsCollected(t *testing.T) {
	m := newMeter()
	kept, dropped := newBlock(m), newBlock(m)
	kept.cell.Add(0, 3)
	dropped.cell.Add(0, 4)
	dropped.cell.Add(1, 5)
	f := m.registry.counter(things)
	if got := values(f); got["a"] != 7 || got["b"] != 5 {
		t.Fatalf("before: %v", got)
	}
	runtime.KeepAlive(dropped)
	dropped = nil
	collected(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.live) == 1 })
	kept.cell.Add(0, 1)
	if got := values(f); got["a"] != 8 || got["b"] != 5 {
		t.Fatalf("after: %v", got)
	}
	runtime.KeepAlive(kept)
}

func TestASeriesNeverReportsLessThanItLastDid(t *testing.T) {
	m := newMeter()
	b := newBlock(m)
	f := m.registry.counter(things)
	b.cell.Add(0, 10)
	values(f)
	b.cell.Add(0, -4) // as when a block moves counts between words
	if got := values(f); got["a"] != 10 {
		t.Fatalf("observed %d after 10", got["a"])
	}
	runtime.KeepAlive(b)
}

func TestAGaugeGoesWithItsBlock(t *testing.T) {
	m := newMeter()
	g := Gauge{Name: "joist.test.level", Unit: "{thing}"}
	b := &block{cell: NewCell(1)}
	ObserveGauges(m, b, func(b *block, _ int) int64 { return b.cell.Total(0) }, g)
	b.cell.Add(0, 2)
	f := m.registry.gauge(g)
	if got := values(f); got[""] != 2 {
		t.Fatalf("observed %v", got)
	}
	runtime.KeepAlive(b)
	b = nil
	collected(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.live) == 0 })
	if got := values(f); len(got) != 0 {
		t.Fatalf("a gauge of nothing: %v", got)
	}
}

// uncomparable is a provider that cannot be the key of a map, and wrapped is one of a type that could be.
type (
	uncomparable struct {
		noop.MeterProvider
		_ []string
	}
	wrapped struct{ metric.MeterProvider }
)

func TestAProviderThatCannotBeComparedIsTakenAsItIs(t *testing.T) {
	for _, p := range []metric.MeterProvider{uncomparable{}, wrapped{uncomparable{}}} {
		m := NewMeter(p, "joist/test", "x")
		b := newBlock(m)
		b.cell.Add(0, 3)
		if got := values(m.registry.counter(things)); got["a"] != 3 {
			t.Errorf("%T: observed %v", p, got)
		}
		runtime.KeepAlive(b)
	}
}

// collected runs the garbage collector until done: cleanups run on a goroutine of their own.
func collected(t *testing.T, done func() bool) {
	t.Helper()
	for range 1000 {
		runtime.GC()
		runtime.Gosched()
		if done() {
			return
		}
	}
	t.Fatal("the block was never collected: something holds it")
}
