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
	modeKey    = attribute.Key("joist.breaker.mode")
	fromKey    = attribute.Key("joist.breaker.from")
	toKey      = attribute.Key("joist.breaker.to")
)

// The words of a telemetry source of this package, in the order of its counters' series.
const (
	wordSuccess = iota
	wordFailure
	wordSlow
	wordIgnored
	wordRefused
	wordSpared // last of the outcomes
	wordMoves  // the first of len(legalMoves)

	sourceWords  = wordMoves + len(legalMoves)
	refusalWords = wordSpared - wordRefused + 1
)

// legalMoves are all transitions that there are. Only a mode that begins or ends leads from open to closed.
var legalMoves = [...]struct{ from, to State }{
	{Closed, Open}, {Open, HalfOpen}, {HalfOpen, Open}, {HalfOpen, Closed}, {Open, Closed},
}

func moveIndex(from, to State) int {
	for i, m := range legalMoves {
		if m.from == from && m.to == to {
			return i
		}
	}
	panic("joist/breaker: no transition from " + from.String() + " to " + to.String())
}

// tally holds what one breaker counts. It is a telemetry source, and so it does not point to its breaker. Successes,
// failures and slow calls are counted nowhere but in the window.
type tally struct {
	window
	ignored, late atomic.Int64
	turnedAway    [refusalWords]atomic.Int64 // refused and spared, of a breaker without a refusals cell
	refusals      *telemetry.Cell            // striped, for refusing is hot on all cores when a dependency is down; nil in a Keyed
	moves         [len(legalMoves)]atomic.Uint32
	out           atomic.Int32 // calls that are out; counted in a Keyed only
	used          atomic.Bool  // in a Keyed: asked for since the last look for one to drop
}

// turnAway counts a call that was refused or spared.
func (t *tally) turnAway(word int) {
	if t.refusals != nil {
		t.refusals.Add(word-wordRefused, 1)
	} else {
		t.turnedAway[word-wordRefused].Add(1)
	}
}

// Total implements telemetry.Source.
func (t *tally) Total(word int) int64 {
	switch word {
	case wordSuccess:
		return t.total(success)
	case wordFailure:
		return t.total(failure)
	case wordSlow:
		return t.total(slow)
	case wordIgnored:
		return t.ignored.Load()
	case wordRefused, wordSpared:
		if t.refusals != nil {
			return t.refusals.Total(word - wordRefused)
		}
		return t.turnedAway[word-wordRefused].Load()
	default:
		return int64(t.moves[word-wordMoves].Load())
	}
}

// observe attaches source, and how many of the owner's breakers are in each state and mode, to the instruments of this
// package.
func observe[T any](
	provider metric.MeterProvider, name string, owner *T, source telemetry.Source,
	census func(owner *T, counts func(State, Mode) bool) int64,
) {
	meter := telemetry.NewMeter(provider, ScopeName, name)
	var moves [][]attribute.KeyValue
	for _, m := range legalMoves {
		moves = append(moves, []attribute.KeyValue{fromKey.String(m.from.String()), toKey.String(m.to.String())})
	}
	telemetry.Observe(meter, owner, source,
		telemetry.Counter{
			Name: "joist.breaker.calls", Unit: "{call}",
			Description: "Calls by their outcome. An outcome that came after a change of state counts nowhere.",
			Series:      telemetry.Series(outcomeKey, "success", "failure", "slow", "ignored", "refused", "spared"),
		},
		telemetry.Counter{
			Name: "joist.breaker.transitions", Unit: "{transition}",
			Description: "Changes of state.",
			Series:      moves,
		})
	states := telemetry.Series(stateKey, Closed.String(), Open.String(), HalfOpen.String())
	telemetry.ObserveGauges(meter, owner,
		func(owner *T, word int) int64 {
			return census(owner, func(s State, m Mode) bool {
				return int(s) == word || int(m) == word-len(states)
			})
		},
		telemetry.Gauge{
			Name: "joist.breaker.status", Unit: "{breaker}", UpDown: true,
			Description: "Breakers by their current state.",
			Series:      states,
		},
		telemetry.Gauge{
			Name: "joist.breaker.mode", Unit: "{breaker}", UpDown: true,
			Description: "Breakers by the mode in force.",
			Series:      telemetry.Series(modeKey, modeNames[:]...),
		})
}
