package bulkhead

import (
	"github.com/joist-go/joist/internal/telemetry"
)

// ScopeName is the instrumentation scope of this package's telemetry.
const ScopeName = "github.com/joist-go/joist/pool/bulkhead"

// Version is the version of the instrumentation scope.
const Version = telemetry.Version

// The words of the counter. Those that follow the first are a cell's.
const (
	wordAccepted = iota
	wordRejected
	wordTimeout
	wordShed
	wordCancelled
)

var requests = telemetry.Counter{
	Name: "joist.bulkhead.requests", Unit: "{request}",
	Description: "Calls to a bulkhead, by what became of them.",
	Series:      telemetry.Series("joist.bulkhead.result", "accepted", "rejected", "timeout", "shed", "cancelled"),
}

// wordOf returns the word of a refusal.
func wordOf(r Reason) int {
	switch r {
	case ReasonWait, ReasonDeadline:
		return wordTimeout
	case ReasonShed:
		return wordShed
	default:
		return wordRejected
	}
}

// The gauges, in the order of gaugeValue.
var (
	limitGauge = telemetry.Gauge{
		Name: "joist.bulkhead.limit", Unit: "{call}",
		Description: "Calls that may be in flight.",
	}
	inflightGauge = telemetry.Gauge{
		Name: "joist.bulkhead.inflight", Unit: "{call}",
		Description: "Calls in flight.", UpDown: true,
	}
	pendingGauge = telemetry.Gauge{
		Name: "joist.bulkhead.pending", Unit: "{call}",
		Description: "Calls that wait for a slot.", UpDown: true,
	}
)

var waitDurations = telemetry.Durations{
	Name:        "joist.bulkhead.wait.duration",
	Description: "Time that calls spent in the queue, whether they got a slot or not.",
}

// Total makes slots a telemetry.Source.
func (s *slots) Total(word int) int64 {
	if word == wordAccepted {
		return s.accepted()
	}
	return s.refused.Total(word - 1)
}

func (s *slots) queued() int64 {
	if s.queue == nil {
		return 0
	}
	return s.queue.length.Load()
}

func (b *Bulkhead) gaugeValue(word int) int64 {
	switch word {
	case 0:
		return int64(b.slots.limit.Load())
	case 1:
		return b.slots.inflight()
	default:
		return b.slots.queued()
	}
}

func (b *Bulkhead) observe(o Options) {
	m := telemetry.NewMeter(o.MeterProvider, ScopeName, o.Name)
	b.waits = telemetry.NewHistogram(m, waitDurations)
	telemetry.Observe(m, b, b.slots, requests)
	telemetry.ObserveGauges(m, b, (*Bulkhead).gaugeValue, limitGauge, inflightGauge, pendingGauge)
}
