package ratelimit

import (
	"math/bits"
	"sync"

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

const (
	maxNames  = 32       // limits of a block that are told apart
	otherName = "_other" // of the rest
)

// The words of a cell. Those up to shadowDenied are observed.
const (
	allowed = iota
	denied
	shadowDenied
	overflowed // takes that the overflow bucket of a Keyed decided: for Stats
	words
)

// cells are what a block counts in: a cell for each name that a limit of it ever had, up to maxNames. A name is met when
// limits are set, so the lock is never taken by a take.
type cells struct {
	meter   *telemetry.Meter
	observe func(cell *telemetry.Cell, counter telemetry.Counter) // must not be kept by what the owner does not own

	mu     sync.Mutex
	byName map[string]*telemetry.Cell
}

// newCells returns the cells of owner, a block called name.
func newCells[T any](owner *T, provider metric.MeterProvider, name string) *cells {
	c := &cells{meter: telemetry.NewMeter(provider, ScopeName, name), byName: make(map[string]*telemetry.Cell)}
	c.observe = func(cell *telemetry.Cell, counter telemetry.Counter) {
		telemetry.Observe(c.meter, owner, cell, counter)
	}
	return c
}

// of returns the cell of the limits of that name.
func (c *cells) of(name string) *telemetry.Cell {
	c.mu.Lock()
	defer c.mu.Unlock()
	cell := c.byName[name]
	if cell == nil && len(c.byName) >= maxNames {
		name = otherName
		cell = c.byName[name]
	}
	if cell == nil {
		cell = telemetry.NewCell(words)
		c.byName[name] = cell
		limit := limitKey.String(name)
		c.observe(cell, telemetry.Counter{
			Name:        "joist.ratelimit.requests",
			Unit:        "{request}",
			Description: "Takes of a rate limiter, by their result and the limit that decided.",
			Series: [][]attribute.KeyValue{
				allowed:      {resultKey.String("allowed"), limit},
				denied:       {resultKey.String("denied"), limit},
				shadowDenied: {resultKey.String("shadow_denied"), limit},
			},
		})
	}
	return cell
}

// total returns the count of a word over all cells.
func (c *cells) total(word int) (sum int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cell := range c.byName {
		sum += cell.Total(word)
	}
	return sum
}

// waits returns the histogram of the waits of the block.
func (c *cells) waits() *telemetry.Histogram {
	return telemetry.NewHistogram(c.meter, telemetry.Durations{
		Name:        "joist.ratelimit.wait.duration",
		Description: "Waits for tokens, of calls that got them.",
	})
}

// count counts one decision of a limit.
func (b *bucket) count(ok bool) {
	switch {
	case ok:
		b.cell.Add(allowed, 1)
	case b.limit.Shadow:
		b.cell.Add(shadowDenied, 1)
		b.cell.Add(allowed, 1)
	default:
		b.cell.Add(denied, 1)
	}
}

// count counts one decision of all limits, and beside it what each shadow would have made of it.
func (p *plan) count(v verdict) {
	word := denied
	if v.ok {
		word = allowed
	}
	p.buckets[v.binding].cell.Add(word, 1)
	p.countShadows(v.shadow)
}

func (p *plan) countShadows(denying uint32) {
	for ; denying != 0; denying &= denying - 1 {
		p.buckets[bits.TrailingZeros32(denying)].cell.Add(shadowDenied, 1)
	}
}
