package flight

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// DefaultTimeout is the Timeout of a Detached group that names none.
const DefaultTimeout = 30 * time.Second

// NoTimeout as the Timeout lets loads take as long as they like.
const NoTimeout time.Duration = -1

// Options configures a [Group]. The zero Options is valid: loads end with their last waiter and have no deadline.
type Options struct {
	// Name tells this group from others in metrics, logs and errors. At most 128 bytes of UTF-8 without control
	// characters. Default "default".
	Name string

	// Detached lets a load outlive its waiters: it runs on when the last of them has left, until it returns or its
	// Timeout is over, and calls that come meanwhile join it. False means that a load nobody waits for is cancelled.
	Detached bool

	// Timeout is the hard deadline of each load, counted from its start. The context of the load ends with it, and
	// even when the load goes on regardless, its waiters are answered with a [*TimeoutError] and its key is free for
	// the next load; its goroutine stays until it returns. 0 means [DefaultTimeout] for a Detached group, because a
	// load that hangs would hold its key for ever, and no deadline for others. [NoTimeout] means no deadline; other
	// negative values are an error.
	Timeout time.Duration

	// MeterProvider makes the instruments. Default: the global one at the time of New.
	MeterProvider metric.MeterProvider

	// TracerProvider is not used so far: a group opens no spans, it leaves that to the load. It adds an event to the
	// caller's own span when it refuses a call.
	TracerProvider trace.TracerProvider

	// Logger is told of failures that no caller sees: a load that nobody waits for and that panics, or, if it was
	// meant to run without a waiter, fails. One line per cause in 10 seconds, without keys, values and error texts.
	// Default: slog.Default() at the time of each line.
	Logger *slog.Logger
}

// New returns a group without loads. It reports every fault of o at once. A group has no goroutine of its own: one
// that is not closed is collected when it is dropped and its loads have ended.
func New[K comparable, V any](o Options) (*Group[K, V], error) {
	faults := options.Check("joist/flight", "Options")
	faults.Name(o.Name)
	faults.Require(o.Timeout >= 0 || o.Timeout == NoTimeout, "Timeout", o.Timeout, "must be positive, 0 for the default, or NoTimeout")
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = telemetry.DefaultName
	}
	switch {
	case o.Timeout == NoTimeout:
		o.Timeout = 0
	case o.Timeout == 0 && o.Detached:
		o.Timeout = DefaultTimeout
	}
	g := &Group[K, V]{
		name:     o.Name,
		detached: o.Detached,
		timeout:  o.Timeout,
		table:    newTable[K, V](),
		refusal:  &ClosedError{Name: o.Name},
		expired:  &TimeoutError{Name: o.Name, After: o.Timeout},
		log:      telemetry.NewLog(o.Logger, "joist/flight", o.Name),
		idle:     make(chan struct{}),
	}
	m := telemetry.NewMeter(o.MeterProvider, ScopeName, o.Name)
	telemetry.Observe(m, g, g.table, calls)
	return g, nil
}

// refuse tells the caller, and its span, that the group is closed.
func (g *Group[K, V]) refuse(ctx context.Context) error {
	telemetry.Event(ctx, "joist.flight.refused", g.name)
	return g.refusal
}
