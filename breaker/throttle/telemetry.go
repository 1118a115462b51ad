package throttle

import (
	"go.opentelemetry.io/otel/metric"

	"github.com/joist-go/joist/internal/telemetry"
)

// ScopeName is the name of this package's instrumentation scope.
const ScopeName = "github.com/joist-go/joist/breaker/throttle"

// Version is the version of this package's instrumentation scope.
const Version = telemetry.Version

// The words of the counter.
const (
	wordAccepted = iota
	wordRejected
	wordIgnored
	wordThrottled
)

// Total implements telemetry.Source.
func (t *tally) Total(word int) int64 {
	switch word {
	case wordAccepted:
		total := t.accepted.Load()
		return total + int64(t.sum().accepted)
	case wordRejected:
		total := t.rejected.Load()
		return total + int64(t.sum().rejected)
	case wordIgnored:
		return t.ignored.Load()
	default:
		total := t.throttled.Load()
		return total + int64(t.sum().throttled)
	}
}

func observe(t *Throttle, provider metric.MeterProvider) {
	telemetry.Observe(telemetry.NewMeter(provider, ScopeName, t.name), t, t.tally, telemetry.Counter{
		Name: "joist.throttle.requests", Unit: "{request}",
		Description: "Calls, by what became of them.",
		Series:      telemetry.Series("joist.throttle.result", "accepted", "rejected", "ignored", "throttled"),
	})
}
