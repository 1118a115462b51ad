package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// DurationBuckets are the bucket bounds, in seconds, of every duration that joist measures.
var DurationBuckets = []float64{
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
}

// Durations describes a histogram of durations in seconds: one series per entry of Series, or one with the block's
// name alone.
type Durations struct {
	Name, Description string
	Series            [][]attribute.KeyValue
}

// Histogram records durations. It holds nothing of its block. It is made with [NewHistogram].
type Histogram struct {
	instrument metric.Float64Histogram
	opts       [][]metric.RecordOption // made once: a slice passed whole allocates nothing
}

// NewHistogram makes the histogram that d describes.
func NewHistogram(m *Meter, d Durations) *Histogram {
	instrument, err := m.registry.meter.Float64Histogram(d.Name, metric.WithUnit("s"), metric.WithDescription(d.Description),
		metric.WithExplicitBucketBoundaries(DurationBuckets...))
	if err != nil {
		otel.Handle(err)
	}
	if instrument == nil {
		instrument = noop.Float64Histogram{}
	}
	h := &Histogram{instrument: instrument}
	for _, attrs := range orOne(d.Series) {
		set := attribute.NewSet(append([]attribute.KeyValue{m.name}, attrs...)...)
		h.opts = append(h.opts, []metric.RecordOption{metric.WithAttributeSet(set)})
	}
	return h
}

// Record records d in one of the histogram's series. A negative d, which an unordered pair of clock readings can
// give, counts as 0.
func (h *Histogram) Record(ctx context.Context, series int, d time.Duration) {
	h.instrument.Record(ctx, max(d, 0).Seconds(), h.opts[series]...)
}

// orOne returns the given series, or one without attributes.
func orOne(series [][]attribute.KeyValue) [][]attribute.KeyValue {
	if len(series) == 0 {
		return [][]attribute.KeyValue{nil}
	}
	return series
}

// Series lists one attribute set per value of an enum, in its order.
func Series(key attribute.Key, values ...string) [][]attribute.KeyValue {
	sets := make([][]attribute.KeyValue, len(values))
	for i, v := range values {
		sets[i] = []attribute.KeyValue{key.String(v)}
	}
	return sets
}
