package telemetry

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// Distribution describes a histogram of whole numbers, with the block's name as its only attribute.
type Distribution struct {
	Name, Unit, Description string
	Bounds                  []float64 // of the buckets
}

// Sizes records the numbers of a [Distribution]. It holds nothing of its block. It is made with [NewSizes].
type Sizes struct {
	instrument metric.Int64Histogram
	opts       []metric.RecordOption // made once: a slice passed whole allocates nothing
}

// NewSizes makes the histogram that d describes.
func NewSizes(m *Meter, d Distribution) *Sizes {
	instrument, err := m.registry.meter.Int64Histogram(d.Name, metric.WithUnit(d.Unit), metric.WithDescription(d.Description),
		metric.WithExplicitBucketBoundaries(d.Bounds...))
	if err != nil {
		otel.Handle(err)
	}
	if instrument == nil {
		instrument = noop.Int64Histogram{}
	}
	return &Sizes{instrument: instrument, opts: []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(m.name))}}
}

// Record records n.
func (s *Sizes) Record(ctx context.Context, n int64) { s.instrument.Record(ctx, n, s.opts...) }
