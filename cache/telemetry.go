package cache

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/telemetry"
)

// ScopeName is the instrumentation scope of this package's metrics and spans.
const ScopeName = "github.com/joist-go/joist/cache"

// Version is the version of the instrumentation scope.
const Version = telemetry.Version

// The names of what spans are told, and the attribute keys.
const (
	spanLoad     = "cache.load"
	eventStale   = "joist.cache.stale"
	eventRefused = "joist.cache.refused"

	resultKey  = attribute.Key("joist.cache.result")
	levelKey   = attribute.Key("joist.cache.level")
	outcomeKey = attribute.Key("joist.cache.outcome")
	causeKey   = attribute.Key("joist.cache.cause")
	ageKey     = attribute.Key("joist.cache.age") // seconds
)

// The words of the cell. Each Get counts in one of the first eight, in the order of the series of the counter requests.
const (
	wordHit         = iota
	wordStale       // served beside a refresh or a back-off, without a load of its own
	wordNegative    // a kept ErrNotFound
	wordRefused     // backing off or closed, and nothing to serve
	wordMiss        // a load gave the value
	wordStaleLoad   // a load failed, the stale value was served
	wordNotFound    // a load said ErrNotFound
	wordError       // a load failed, or the caller left, and nothing to serve
	wordEvicted     // for room
	wordExpired     // past its last usable moment
	wordInvalidated // keys given to Delete
	wordLoads       // from here on not exported as counters
	wordFailures
	words
)

func requestSeries() [][]attribute.KeyValue {
	series := func(result, level string) []attribute.KeyValue {
		return []attribute.KeyValue{resultKey.String(result), levelKey.String(level)}
	}
	return [][]attribute.KeyValue{
		wordHit:       series("hit", "local"),
		wordStale:     series("stale", "local"),
		wordNegative:  series("negative", "local"),
		wordRefused:   series("error", "local"),
		wordMiss:      series("miss", "load"),
		wordStaleLoad: series("stale", "load"),
		wordNotFound:  series("negative", "load"),
		wordError:     series("error", "load"),
	}
}

// outcome is how a load ended: the series of the histogram of loads.
type outcome int

const (
	outcomeOK outcome = iota
	outcomeNotFound
	outcomeError
	outcomeTimeout
	outcomePanic
)

var outcomes = [...]string{
	outcomeOK: "ok", outcomeNotFound: "not_found", outcomeError: "error", outcomeTimeout: "timeout", outcomePanic: "panic",
}

// failures are what the log calls the outcomes that are failures.
var failures = [...]string{outcomeError: "load failed", outcomeTimeout: "load timed out", outcomePanic: "load panicked"}

// instrument makes the instruments of c.
func (c *Cache[K, V]) instrument(o *Options[K, V], cell *telemetry.Cell) {
	m := telemetry.NewMeter(o.MeterProvider, ScopeName, o.Name)
	c.cell = cell
	telemetry.Observe(m, c, c.cell,
		telemetry.Counter{
			Name: "joist.cache.requests", Unit: "{request}",
			Description: "Gets by result and by the level that answered.",
			Series:      requestSeries(),
		},
		telemetry.Counter{
			Name: "joist.cache.evictions", Unit: "{entry}",
			Description: "Entries dropped to make room (size) or past their last usable moment (expired).",
			Series:      telemetry.Series(causeKey, "size", "expired"),
		},
		telemetry.Counter{
			Name: "joist.cache.invalidations", Unit: "{entry}",
			Description: "Keys deleted by the application.",
		})
	telemetry.ObserveGauges(m, c, func(c *Cache[K, V], _ int) int64 { return int64(c.entries.EstimatedSize()) },
		telemetry.Gauge{
			Name: "joist.cache.entries", Unit: "{entry}",
			Description: "Entries held: values, kept not-found answers and failed keys.",
		})
	c.durations = telemetry.NewHistogram(m, telemetry.Durations{
		Name:        "joist.cache.load.duration",
		Description: "Time that loads took.",
		Series:      telemetry.Series(outcomeKey, outcomes[:]...),
	})
	c.tracer = telemetry.NewTracer(o.TracerProvider, ScopeName)
	c.log = telemetry.NewLog(o.Logger, "joist/cache", o.Name)
}

// tellStale puts a stale answer on the caller's span.
func (c *Cache[K, V]) tellStale(ctx context.Context, age time.Duration) {
	if trace.SpanFromContext(ctx).IsRecording() {
		telemetry.Event(ctx, eventStale, c.name, ageKey.Float64(age.Seconds()))
	}
}

// Stats are the counts of one cache since it was made. Each Get, GetEntry and GetWith counts once in Hits, Stale,
// Negative, Misses or Errors.
type Stats struct {
	Hits     int64 // fresh values from memory
	Stale    int64 // stale values, served beside a refresh or a back-off or after a failed load
	Negative int64 // ErrNotFound, kept or loaded
	Misses   int64 // values that a load gave
	Errors   int64 // anything else: failed loads, refusals, callers that left

	Loads         int64 // loads begun, in the foreground or behind
	LoadFailures  int64 // loads that ended with an error other than ErrNotFound, a time-out or a panic
	Entries       int64 // entries held now: values, kept ErrNotFound answers and failed keys
	Evicted       int64 // entries dropped to make room
	Expired       int64 // entries dropped past their last usable moment
	Invalidations int64 // keys given to Delete
}

// Stats returns the counts so far. It sums striped words: cheap enough for a scrape, too dear for a hot path. The
// counts are not one moment's.
func (c *Cache[K, V]) Stats() Stats {
	sum := func(words ...int) (n int64) {
		for _, w := range words {
			n += c.cell.Total(w)
		}
		return n
	}
	return Stats{
		Hits:          sum(wordHit),
		Stale:         sum(wordStale, wordStaleLoad),
		Negative:      sum(wordNegative, wordNotFound),
		Misses:        sum(wordMiss),
		Errors:        sum(wordRefused, wordError),
		Loads:         sum(wordLoads),
		LoadFailures:  sum(wordFailures),
		Entries:       int64(c.entries.EstimatedSize()),
		Evicted:       sum(wordEvicted),
		Expired:       sum(wordExpired),
		Invalidations: sum(wordInvalidated),
	}
}
