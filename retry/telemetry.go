package retry

import (
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/joist-go/joist/internal/telemetry"
)

// The instrumentation scope of this package's metrics and spans.
const (
	ScopeName = "github.com/joist-go/joist/retry"
	Version   = telemetry.Version
)

// The counting words of a policy's cell. Those that are exported come first, in the order of their instruments: one
// word per outcome of a call, then one per kind of attempt.
const (
	wordFirstTry = iota
	wordRecovered
	wordExhausted
	wordPermanent
	wordBudget
	wordDeadline
	wordCancelled
	wordRetries
	wordHedges
	wordStarted   // first attempts that have begun: what calls earn their budget by, and the sequence that samples
	wordUnheard   // panics of attempts of Hedge that came when the call had ended
	wordAbandoned // runs whose loop was left; not exported, since nobody knows how they ended
	words
)

// word returns the word that counts calls which ended for r.
func (r Reason) word() int { return wordExhausted + int(r-ReasonExhausted) }

const (
	outcomeKey = attribute.Key("joist.retry.outcome")
	kindKey    = attribute.Key("joist.retry.kind")
	reasonKey  = attribute.Key("joist.retry.reason")
	attemptKey = attribute.Key("joist.retry.attempt")
)

// observe ties p's words to the instruments.
func (p *Policy) observe(m *telemetry.Meter) {
	telemetry.Observe(m, p, p.cell,
		telemetry.Counter{
			Name: "joist.retry.calls", Unit: "{call}",
			Description: "Calls that ended, by how.",
			Series: telemetry.Series(outcomeKey,
				"first_try", "recovered", "exhausted", "permanent", "budget", "deadline", "cancelled"),
		},
		telemetry.Counter{
			Name: "joist.retry.attempts", Unit: "{attempt}",
			Description: "Attempts beyond the first of a call, by kind.",
			Series:      telemetry.Series(kindKey, "retry", "hedge"),
		},
	)
	p.delays = telemetry.NewHistogram(m, telemetry.Durations{
		Name:        "joist.retry.delay.duration",
		Description: "Waits before retries.",
	})
}

// Stats is a snapshot of a [Policy]'s counters since it was made. A call in progress is in none of the outcomes, and
// neither is one whose work panicked or ended its goroutine.
type Stats struct {
	Name string // as in Options, "default" if that was empty

	FirstTry  int64 // succeeded at the first attempt
	Recovered int64 // succeeded at a later one
	Exhausted int64 // failed MaxAttempts times
	Permanent int64 // failed with an error that no retry can help
	Budget    int64 // failed, the budget being spent
	Deadline  int64 // failed, another attempt not fitting into the deadline
	Cancelled int64 // left by the caller
	Abandoned int64 // a loop over a Run that was left: its outcome is not known

	Retries        int64         // attempts beyond the first, of Do and its like
	Hedges         int64         // attempts beyond the first, of Hedge
	Unheard        int64         // panics of attempts of Hedge that came when the call had ended
	HedgeDelay     time.Duration // how long Hedge waits now before another attempt, 0 while it does not know
	TypicalAttempt time.Duration // the estimate of an attempt's time, 0 while there is none
}

// Stats returns a snapshot. It takes no lock that a call would wait for.
func (p *Policy) Stats() Stats {
	return Stats{
		Name:           p.name,
		FirstTry:       p.cell.Total(wordFirstTry),
		Recovered:      p.cell.Total(wordRecovered),
		Exhausted:      p.cell.Total(wordExhausted),
		Permanent:      p.cell.Total(wordPermanent),
		Budget:         p.cell.Total(wordBudget),
		Deadline:       p.cell.Total(wordDeadline),
		Cancelled:      p.cell.Total(wordCancelled),
		Abandoned:      p.cell.Total(wordAbandoned),
		Retries:        p.cell.Total(wordRetries),
		Hedges:         p.cell.Total(wordHedges),
		Unheard:        p.cell.Total(wordUnheard),
		HedgeDelay:     p.hedging.delay(),
		TypicalAttempt: p.typical.Get(),
	}
}
