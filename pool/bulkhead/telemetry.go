package bulkhead

import (
	"github.com/joist-go/joist/internal/telemetry"
)

// ScopeName is the instrumentation scope of this package's telemetry.
const ScopeName = "github.com/joist-go/joist/pool/bulkhead"

// Version is the version of the instrumentation scope.
const Version = telemetry.Version

// The words of the counter, and of the cell for those that follow wordRejected.
const (
	wordAccepted = iota
	wordRejected
	wordCancelled
)

var requests = telemetry.Counter{
	Name: "joist.bulkhead.requests", Unit: "{request}",
	Description: "Calls to a bulkhead, by what became of them.",
	Series:      telemetry.Series("joist.bulkhead.result", "accepted", "rejected", "cancelled"),
}

var limitGauge = telemetry.Gauge{
	Name: "joist.bulkhead.limit", Unit: "{call}",
	Description: "Calls that may be in flight.",
}

var inflightGauge = telemetry.Gauge{
	Name: "joist.bulkhead.inflight", Unit: "{call}",
	Description: "Calls in flight.", UpDown: true,
}

// Total makes slots a telemetry.Source.
func (s *slots) Total(word int) int64 {
	if word == wordAccepted {
		return s.accepted()
	}
	return s.refused.Total(word - wordRejected)
}

func observe(b *Bulkhead, o Options) {
	m := telemetry.NewMeter(o.MeterProvider, ScopeName, o.Name)
	telemetry.Observe(m, b, b.slots, requests)
	telemetry.ObserveGauges(m, b, func(b *Bulkhead, word int) int64 {
		if word == 0 {
			return int64(b.slots.limit)
		}
		return b.slots.inflight()
	}, limitGauge, inflightGauge)
}
