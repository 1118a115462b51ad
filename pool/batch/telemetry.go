package batch

import (
	"errors"

	"github.com/joist-go/joist/internal/telemetry"
)

// ScopeName is the instrumentation scope of this package's instruments.
const ScopeName = "github.com/joist-go/joist/pool/batch"

// Version is the version of joist that the instrumentation scope carries.
const Version = telemetry.Version

// The words of a batcher's cell. Those that calls reports come first, in the order of its series.
const (
	wordOK = iota
	wordError
	wordMissing
	wordPanic
	wordCancelled
	wordRejected
	wordExtra
	words
)

var calls = telemetry.Counter{
	Name: "joist.batch.calls", Unit: "{call}",
	Description: "Calls by what became of them.",
	Series:      telemetry.Series("joist.batch.outcome", "ok", "error", "missing", "panic", "cancelled", "rejected"),
}

var size = telemetry.Distribution{
	Name: "joist.batch.size", Unit: "{call}",
	Description: "Calls that went in one batch.",
	Bounds:      []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000},
}

func (b *Batcher[K, V]) observe(m *telemetry.Meter) {
	telemetry.Observe(m, b, b.cell, calls)
	b.sizes = telemetry.NewSizes(m, size)
}

// wordOf returns the word for a call that failed with err.
func wordOf(err error) int {
	if _, ok := err.(*MissingError); ok { //nolint:errorlint // ours, or else Run's own error
		return wordMissing
	}
	if _, ok := err.(*PanicError); ok || errors.Is(err, ErrGoexit) { //nolint:errorlint // likewise
		return wordPanic
	}
	return wordError
}

// Stats is a snapshot of a batcher. Counts are since New; those of calls are taken one after the other.
type Stats struct {
	OK        int64 // calls that got a value
	Failed    int64 // calls that got an error of Run
	Missing   int64 // calls whose key Run did not answer
	Panicked  int64 // calls whose batch panicked, or ended its goroutine
	Cancelled int64 // calls that left before they had an answer
	Rejected  int64 // calls that were refused: full, or closed
	Extra     int64 // answers that nobody had asked for
	Batches   int64 // batches that were run
	Pending   int   // calls that wait for batches that have not begun
	Running   int   // batches that run now
}

// Stats returns a snapshot. It takes the batcher's lock for a moment, and allocates nothing.
func (b *Batcher[K, V]) Stats() Stats {
	s := Stats{
		OK:        b.cell.Total(wordOK),
		Failed:    b.cell.Total(wordError),
		Missing:   b.cell.Total(wordMissing),
		Panicked:  b.cell.Total(wordPanic),
		Cancelled: b.cell.Total(wordCancelled),
		Rejected:  b.cell.Total(wordRejected),
		Extra:     b.cell.Total(wordExtra),
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Batches, s.Pending, s.Running = b.batches, b.pending, b.running
	return s
}
