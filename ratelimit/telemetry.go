package ratelimit

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/joist-go/joist/internal/telemetry"
)

// ScopeName is the instrumentation scope of the package's instruments.
const ScopeName = "github.com/joist-go/joist/ratelimit"

// Version is the version of the instrumentation scope.
const Version = telemetry.Version

const (
	resultKey = attribute.Key("joist.ratelimit.result")
	limitKey  = attribute.Key("joist.ratelimit.limit")
)

// The words of a block's cell. Those up to denied are observed.
const (
	allowed = iota
	denied
	overflowed // takes that the overflow bucket of a Keyed decided: for Stats
	words
)

// observe attaches the counts of owner, a block called name with one limit, to the package's instruments.
func observe[T any](owner *T, provider metric.MeterProvider, name string, cell *telemetry.Cell, limit Limit) {
	limitName := limitKey.String(limit.filled().Name)
	telemetry.Observe(telemetry.NewMeter(provider, ScopeName, name), owner, cell, telemetry.Counter{
		Name:        "joist.ratelimit.requests",
		Unit:        "{request}",
		Description: "Takes of a rate limiter, by their result and the limit that decided.",
		Series: [][]attribute.KeyValue{
			allowed: {resultKey.String("allowed"), limitName},
			denied:  {resultKey.String("denied"), limitName},
		},
	})
}

// count counts one decision.
func count(cell *telemetry.Cell, ok bool) {
	if ok {
		cell.Add(allowed, 1)
	} else {
		cell.Add(denied, 1)
	}
}
