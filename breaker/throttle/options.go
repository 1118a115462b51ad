package throttle

import (
	"cmp"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// The defaults of Options.
const (
	DefaultK         = 2
	DefaultWindow    = 2 * time.Minute
	DefaultMinCalls  = 1
	DefaultMaxReject = 0.9
)

const (
	minWindow   = 10 * time.Millisecond
	maxWindow   = 24 * time.Hour
	maxK        = 1000
	maxMinCalls = 1_000_000
)

// Options configure a [Throttle]. The zero Options are valid: every field has a default.
type Options struct {
	// Name tells throttles apart in errors and metrics. Empty is "default".
	Name string

	// K is how many calls are let out for each that the dependency accepts, from 1 to 1000. 0 is 2. With 1, the first call
	// that is rejected has others refused; with 2, half of the calls may be rejected before any is refused.
	K float64

	// Window is the time over which calls are counted, from 10 ms to 24 h. 0 is two minutes. It slides in steps of a
	// tenth, so that it covers between 0.9 and 1 of it.
	Window time.Duration

	// MinCalls is the number of calls in the window below which none is refused, from 1 to 1 000 000. 0 is 1: the formula
	// alone. A client that calls seldom may want more, for its one call that is rejected makes the next one fail with a
	// probability of a half.
	MinCalls int

	// MaxReject is the highest reject probability, above 0 and below 1, so that some calls always go out and find that
	// the dependency is well again. 0 is 0.9: a tenth of the calls goes out to a dependency that accepts none.
	MaxReject float64

	// IsRejection says whether an error means that the dependency did not accept the call; one that does not is
	// accepted. nil: every error means that. It is not asked about nil, refusals, errors marked with [Ignore], the
	// caller's own cancellation, and deadlines. It runs on the caller's goroutine, outside every lock.
	IsRejection func(error) bool

	// MeterProvider makes the throttle's instruments; nil is the global one.
	MeterProvider metric.MeterProvider
	// TracerProvider is accepted as in all blocks. A throttle opens no spans: it puts events on its caller's.
	TracerProvider trace.TracerProvider
}

// New returns a throttle that has seen no calls. All faults of o are reported at once.
func New(o Options) (*Throttle, error) {
	f := options.Check("joist/throttle", "Options")
	f.Name(o.Name)
	f.Require(o.K == 0 || o.K >= 1 && o.K <= maxK, "K", o.K, "must be from 1 to 1000 (0 is the default)")
	f.Require(o.Window == 0 || o.Window >= minWindow && o.Window <= maxWindow, "Window", o.Window,
		"must last from 10ms to 24h (0 is the default)")
	f.Require(o.MinCalls >= 0 && o.MinCalls <= maxMinCalls, "MinCalls", o.MinCalls, "must be from 1 to 1000000 (0 is the default)")
	f.Require(o.MaxReject >= 0 && o.MaxReject < 1, "MaxReject", o.MaxReject, "must be above 0 and below 1 (0 is the default)")
	if err := f.Err(); err != nil {
		return nil, err
	}
	t := &Throttle{
		name:        cmp.Or(o.Name, telemetry.DefaultName),
		clock:       clock.New(),
		k:           cmp.Or(o.K, DefaultK),
		minCalls:    uint64(cmp.Or(o.MinCalls, DefaultMinCalls)),
		maxReject:   cmp.Or(o.MaxReject, DefaultMaxReject),
		isRejection: o.IsRejection,
		random:      rand.Float64,
		tally:       &tally{},
	}
	t.tally.init(int64(cmp.Or(o.Window, DefaultWindow)), t.clock.Now())
	observe(t, o.MeterProvider)
	return t, nil
}
