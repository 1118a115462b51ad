package telemetry

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// family is one instrument of one provider: its series and the blocks that feed them.
type family struct {
	monotonic bool

	mu     sync.Mutex // taken by callbacks: never held while the OpenTelemetry API is called
	series map[attribute.Distinct]*series
	order  []*series // as first attached, so that a collection has a stable order
	live   map[*attachment]struct{}
}

// series is one attribute set of an instrument.
type series struct {
	set    attribute.Set
	opts   []metric.ObserveOption
	folded int64 // totals of blocks that were collected
	last   int64 // what was last observed: a monotonic series never reports less
	now    int64 // scratch of one observation
	fed    bool  // scratch: a living block feeds it
}

// attachment ties consecutive words of a source, from first on, to series.
type attachment struct {
	total  func(word int) (value int64, ok bool)
	first  int
	series []*series
}

// reading is a value to observe, taken under the lock and handed to OpenTelemetry outside it.
type reading struct {
	value int64
	opts  []metric.ObserveOption
}

func newFamily(monotonic bool) *family {
	return &family{
		monotonic: monotonic,
		series:    make(map[attribute.Distinct]*series),
		live:      make(map[*attachment]struct{}),
	}
}

func (f *family) attach(a *attachment, name attribute.KeyValue, sets [][]attribute.KeyValue) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, attrs := range sets {
		set := attribute.NewSet(append([]attribute.KeyValue{name}, attrs...)...)
		s := f.series[set.Equivalent()]
		if s == nil {
			s = &series{set: set, opts: []metric.ObserveOption{metric.WithAttributeSet(set)}}
			f.series[set.Equivalent()] = s
			f.order = append(f.order, s)
		}
		a.series = append(a.series, s)
	}
	f.live[a] = struct{}{}
}

// detach folds the final totals of a block that was collected and lets its source go.
func (f *family) detach(a *attachment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.live, a)
	if !f.monotonic {
		return
	}
	for i, s := range a.series {
		total, _ := a.total(a.first + i)
		s.folded += total
	}
}

func (f *family) observe(report func(value int64, opts []metric.ObserveOption)) {
	for _, r := range f.read() {
		report(r.value, r.opts)
	}
}

// read sums each series over the blocks that feed it. A counter's series lives for ever, a gauge's as long as a block
// does that has it.
func (f *family) read() []reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.order {
		s.now, s.fed = s.folded, f.monotonic
	}
	for a := range f.live {
		for i, s := range a.series {
			if total, ok := a.total(a.first + i); ok {
				s.now += total
				s.fed = true
			}
		}
	}
	readings := make([]reading, 0, len(f.order))
	for _, s := range f.order {
		if !s.fed {
			continue
		}
		if f.monotonic {
			s.now = max(s.now, s.last)
			s.last = s.now
		}
		readings = append(readings, reading{s.now, s.opts})
	}
	return readings
}
