package telemetrytest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

const nameKey = "joist.name"

// meters is a provider whose metrics a test reads.
type meters struct {
	*sdkmetric.MeterProvider
	reader *sdkmetric.ManualReader
}

func newMeters() meters {
	reader := sdkmetric.NewManualReader()
	return meters{sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), reader}
}

func (m meters) collect(t *testing.T) metricdata.ResourceMetrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := m.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// point is one series of one instrument at one collection.
type point struct {
	scope, instrument, unit, kind string
	attributes                    attribute.Set
	value                         int64 // a histogram's is its count
}

func (m meters) points(t *testing.T) []point {
	t.Helper()
	var all []point
	for _, scope := range m.collect(t).ScopeMetrics {
		for _, metric := range scope.Metrics {
			p := point{scope: scope.Scope.Name, instrument: metric.Name, unit: metric.Unit}
			switch data := metric.Data.(type) {
			case metricdata.Sum[int64]:
				p.kind = "updowncounter"
				if data.IsMonotonic {
					p.kind = "counter"
				}
				for _, d := range data.DataPoints {
					p.attributes, p.value = d.Attributes, d.Value
					all = append(all, p)
				}
			case metricdata.Gauge[int64]:
				p.kind = "gauge"
				for _, d := range data.DataPoints {
					p.attributes, p.value = d.Attributes, d.Value
					all = append(all, p)
				}
			case metricdata.Histogram[float64]:
				p.kind = "histogram"
				for _, d := range data.DataPoints {
					p.attributes, p.value = d.Attributes, int64(d.Count)
					all = append(all, p)
				}
			case metricdata.Histogram[int64]:
				p.kind = "histogram"
				for _, d := range data.DataPoints {
					p.attributes, p.value = d.Attributes, int64(d.Count)
					all = append(all, p)
				}
			default:
				t.Fatalf("%s is a %T", metric.Name, metric.Data)
			}
		}
	}
	return all
}

// total sums the series of an instrument that have the given attributes.
func (m meters) total(t *testing.T, instrument string, attrs ...attribute.KeyValue) int64 {
	t.Helper()
	var sum int64
	for _, p := range m.points(t) {
		if p.instrument != instrument || slices.ContainsFunc(attrs, func(a attribute.KeyValue) bool {
			v, ok := p.attributes.Value(a.Key)
			return !ok || v != a.Value
		}) {
			continue
		}
		sum += p.value
	}
	return sum
}

// row is an instrument as docs/telemetry.md has it.
type row struct{ scope, instrument, unit, kind, attributes string }

func (r row) String() string {
	return fmt.Sprintf("%s | `%s` | `%s` | %s | %s", r.scope, r.instrument, r.unit, r.kind, r.attributes)
}

// rows sums up which attributes and values each instrument has, besides the block's name, which every series must have.
func rows(t *testing.T, points []point) []row {
	t.Helper()
	values := make(map[row]map[string][]string)
	for _, p := range points {
		r := row{scope: p.scope, instrument: p.instrument, unit: p.unit, kind: p.kind}
		if values[r] == nil {
			values[r] = make(map[string][]string)
		}
		if _, ok := p.attributes.Value(nameKey); !ok {
			t.Errorf("a series of %s has no %s", p.instrument, nameKey)
		}
		for _, a := range p.attributes.ToSlice() {
			if a.Key != nameKey && !slices.Contains(values[r][string(a.Key)], a.Value.String()) {
				values[r][string(a.Key)] = append(values[r][string(a.Key)], a.Value.String())
			}
		}
	}
	var all []row
	for r, attrs := range values {
		r.attributes = attributesText(attrs)
		all = append(all, r)
	}
	return sorted(all)
}

func attributesText(attrs map[string][]string) string {
	var parts []string
	for key, values := range attrs {
		slices.Sort(values)
		parts = append(parts, fmt.Sprintf("`%s` = %s", key, strings.Join(values, ", ")))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

func sorted(rows []row) []row {
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(a.instrument, b.instrument))
	})
	return rows
}
