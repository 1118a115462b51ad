package main

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
)

// sdk is the real OpenTelemetry SDK as a service would attach it: metrics read by two readers, cumulative like a
// Prometheus exporter's, and traces of which none is sampled.
type sdk struct {
	metrics *metric.MeterProvider
	traces  *trace.TracerProvider
	readers []*metric.ManualReader
	scratch metricdata.ResourceMetrics
}

func newSDK() *sdk {
	s := &sdk{
		readers: []*metric.ManualReader{metric.NewManualReader(), metric.NewManualReader()},
		traces:  trace.NewTracerProvider(trace.WithSampler(trace.NeverSample())),
	}
	var opts []metric.Option
	for _, r := range s.readers {
		opts = append(opts, metric.WithReader(r))
	}
	s.metrics = metric.NewMeterProvider(opts...)
	return s
}

// collect reads all metrics once with each reader.
func (s *sdk) collect(ctx context.Context) error {
	for _, r := range s.readers {
		if err := r.Collect(ctx, &s.scratch); err != nil {
			return fmt.Errorf("collecting metrics: %w", err)
		}
	}
	return nil
}

// sum returns the total of a counter over all its series, as last collected.
func (s *sdk) sum(name string) int64 {
	var total int64
	for _, scope := range s.scratch.ScopeMetrics {
		for _, m := range scope.Metrics {
			if data, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == name {
				for _, p := range data.DataPoints {
					total += p.Value
				}
			}
		}
	}
	return total
}
