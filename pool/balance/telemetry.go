package balance

import (
	"go.opentelemetry.io/otel/metric"

	"github.com/joist-go/joist/internal/outcome"
	"github.com/joist-go/joist/internal/telemetry"
)

// ScopeName is the instrumentation scope of this package's instruments.
const ScopeName = "github.com/joist-go/joist/pool/balance"

// Version is the version of joist that the instrumentation scope carries.
const Version = telemetry.Version

// The words of a cell, in the order of its counters' series. Those of the outcomes are their numbers.
const (
	wordSuccess   = int(outcome.Success)
	wordFailure   = int(outcome.Failure)
	wordIgnored   = int(outcome.Ignored)
	wordRefused   = wordIgnored + 1
	wordEjections = wordRefused + 1

	words = wordEjections + 1
)

var picks = telemetry.Counter{
	Name: "joist.balance.picks", Unit: "{call}",
	Description: "Calls by how they ended, and those for which there was no endpoint.",
	Series:      telemetry.Series("joist.balance.outcome", "success", "failure", "ignored", "refused"),
}

var ejections = telemetry.Counter{
	Name: "joist.balance.ejections", Unit: "{ejection}",
	Description: "Ejections of endpoints.",
}

var endpoints = telemetry.Gauge{
	Name: "joist.balance.endpoints", Unit: "{endpoint}", UpDown: true,
	Description: "Endpoints by their state.",
	Series:      telemetry.Series("joist.balance.state", stateNames[:]...),
}

// observe attaches what a balancer or a rendezvous counts. count tells how many endpoints are in a state.
func observe[T any](owner *T, b *book, provider metric.MeterProvider, count func(owner *T, state int) int64) {
	m := telemetry.NewMeter(provider, ScopeName, b.name)
	telemetry.Observe(m, owner, b.cell, picks, ejections)
	telemetry.ObserveGauges(m, owner, count, endpoints)
}
