package breaker

import (
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/joist-go/joist/internal/telemetry"
)

// ScopeName is the name of this package's instrumentation scope.
const ScopeName = "github.com/joist-go/joist/breaker"

// Version is the version of this package's instrumentation scope.
const Version = telemetry.Version

const (
	outcomeKey = attribute.Key("joist.breaker.outcome")
	stateKey   = attribute.Key("joist.breaker.state")
	fromKey    = attribute.Key("joist.breaker.from")
	toKey      = attribute.Key("joist.breaker.to")
)

// The words of a telemetry source of this package, in the order of its counters' series.
const (
	wordSuccess = iota
	wordFailure
	wordIgnored
	wordRefused
	wordMoves // the first of len(legalMoves)

	sourceWords = wordMoves + 4
)

// legalMoves are all transitions that there are.
var legalMoves = [...]struct{ from, to State }{
	{Closed, Open}, {Open, HalfOpen}, {HalfOpen, Open}, {HalfOpen, Closed},
}

func moveIndex(from, to State) int {
	for i, m := range legalMoves {
		if m.from == from && m.to == to {
			return i
		}
	}
	panic("joist/breaker: no transition from " + from.String() + " to " + to.String())
}

// tally holds what one breaker counts. It is a telemetry source, and so it does not point to its breaker. Successes and
// failures are counted nowhere but in the window.
type tally struct {
	window
	ignored, late atomic.Int64
	refused       atomic.Int64    // of a breaker without a refusals cell
	refusals      *telemetry.Cell // striped, for refusing is hot on all cores when a dependency is down; nil in a Keyed
	moves         [len(legalMoves)]atomic.Uint32
	out           atomic.Int32 // calls that are out; counted in a Keyed only
}

// Total implements telemetry.Source.
func (t *tally) Total(word int) int64 {
	switch word {
	case wordSuccess:
		return t.total(true)
	case wordFailure:
		return t.total(false)
	case wordIgnored:
		return t.ignored.Load()
	case wordRefused:
		if t.refusals != nil {
			return t.refusals.Total(0)
		}
		return t.refused.Load()
	default:
		return int64(t.moves[word-wordMoves].Load())
	}
}

// observe attaches source, and what status says of owner, to the instruments of this package.
func observe[T any](provider metric.MeterProvider, name string, owner *T, source telemetry.Source, status func(owner *T, state State) int64) {
	meter := telemetry.NewMeter(provider, ScopeName, name)
	var moves [][]attribute.KeyValue
	for _, m := range legalMoves {
		moves = append(moves, []attribute.KeyValue{fromKey.String(m.from.String()), toKey.String(m.to.String())})
	}
	telemetry.Observe(meter, owner, source,
		telemetry.Counter{
			Name: "joist.breaker.calls", Unit: "{call}",
			Description: "Calls by their outcome. An outcome that came after a change of state counts nowhere.",
			Series:      telemetry.Series(outcomeKey, "success", "failure", "ignored", "refused"),
		},
		telemetry.Counter{
			Name: "joist.breaker.transitions", Unit: "{transition}",
			Description: "Changes of state.",
			Series:      moves,
		})
	telemetry.ObserveGauges(meter, owner,
		func(owner *T, word int) int64 { return status(owner, State(word)) },
		telemetry.Gauge{
			Name: "joist.breaker.status", Unit: "{breaker}", UpDown: true,
			Description: "Breakers by their current state.",
			Series:      telemetry.Series(stateKey, Closed.String(), Open.String(), HalfOpen.String()),
		})
}
