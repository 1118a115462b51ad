package flight

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/joist-go/joist/internal/telemetry"
)

// ScopeName is the instrumentation scope of this package's instruments.
const ScopeName = "github.com/joist-go/joist/pool/flight"

// Version is the version of joist that the instrumentation scope carries.
const Version = telemetry.Version

// calls counts the calls that were answered by a load of their own or by another call's. Its words are the first words
// of each shard.
var calls = telemetry.Counter{
	Name:        "joist.flight.calls",
	Unit:        "{call}",
	Description: "Calls by how they got their answer: by a load that they started, or by one in flight.",
	Series:      telemetry.Series(attribute.Key("joist.flight.role"), "leader", "shared"),
}

// The counting words of a shard. Those that calls reports come first, in the order of its series.
const (
	wordLeaders = iota
	wordShared
	wordPanics
	wordTimeouts
	wordUnheard
	words
)

// Stats is a snapshot of a group. Its numbers are taken shard by shard, not at one instant. Counts are since New.
type Stats struct {
	Leaders  int64 // loads started, by Do, DoShared and Go
	Shared   int64 // calls that joined a load in flight
	InFlight int64 // loads running now, those included that were forgotten, cancelled or timed out and have not returned
	Panics   int64 // loads that panicked
	Timeouts int64 // loads that were given up at the group's Timeout
	Unheard  int64 // panics, and failures of loads that may run without a waiter, while nobody waited for the answer
}

// Stats returns a snapshot. It takes the lock of each shard for a moment, and allocates nothing.
func (g *Group[K, V]) Stats() Stats {
	var sum [words]int64
	var running int64
	for i := range g.table.shards {
		s := &g.table.shards[i]
		s.mu.Lock()
		running += s.running
		for w, n := range s.counts {
			sum[w] += n
		}
		s.mu.Unlock()
	}
	return Stats{
		Leaders:  sum[wordLeaders],
		Shared:   sum[wordShared],
		InFlight: running,
		Panics:   sum[wordPanics],
		Timeouts: sum[wordTimeouts],
		Unheard:  sum[wordUnheard],
	}
}
