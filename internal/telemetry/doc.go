// Package telemetry is how the blocks count, measure and trace, at a price that lets it be always on.
//
// # Hot paths
//
// A hot path touches nothing of OpenTelemetry. It adds to a [Cell], a block's own striped counting words, or to words
// that the block keeps anyway; a callback reads them when somebody collects. Slow paths, from a microsecond of real
// work upward, record a [Histogram] whose option slices were made at construction, and open spans.
//
// # Counters never go down
//
// A counter belongs to (meter provider, instrument, attributes) and is shared by all blocks of one Name: two blocks
// observed separately would be summed by the SDK, and when one of them went, the exported sum would fall, which a
// Prometheus server takes for a restart. So each instrument has one [family] per provider with one series per
// attribute set, and a block attaches its words to the series with [Observe]:
//
//	provider ── registry ── family (instrument) ── series (attributes): folded, last
//	                           │
//	                           └── live attachments: source (Cell or window), the series of each word
//	block ── Cell                         (strong, towards the words only)
//
// The registry holds the source strongly, the block holds its source, and neither the registry nor the source holds
// the block. When the block is collected, a cleanup adds the final totals to folded and drops the source. A total read
// while a block moves counts from one word to another may be short for a moment: a series never reports less than it
// last did. Gauges describe what is there now: they reach the block through a weak pointer and go with it.
//
// # Locks
//
// The SDK calls callbacks while it holds a lock of its own that creating an instrument takes too. So a family's lock,
// which callbacks take, is never held while the OpenTelemetry API is called.
package telemetry

// Version is the version of joist, as reported with each instrumentation scope.
const Version = "0.1.0"
