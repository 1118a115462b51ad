package bulkhead

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// Options are the options of [New].
type Options struct {
	// Name tells the bulkhead apart in errors and telemetry. It is an attribute of every metric, so it should name a
	// dependency, never a user or a key. At most 128 bytes; "" is "default".
	Name string

	// Limit is how many calls may be in flight, such as Fixed(50). It is required.
	Limit Limit

	// MeterProvider makes the instruments; nil is the global one.
	MeterProvider metric.MeterProvider

	// TracerProvider is there as in every Options. A bulkhead opens no spans: a refusal is an event on the caller's.
	TracerProvider trace.TracerProvider
}

// Bulkhead limits how many calls are in flight. It is made with [New]; the zero Bulkhead is not usable. All methods are
// safe for concurrent use. It owns no goroutine and needs no Close.
type Bulkhead struct {
	slots *slots
	name  string
}

// New returns a Bulkhead, or an error that tells every fault of o.
func New(o Options) (*Bulkhead, error) {
	faults := options.Check("joist/bulkhead", "Options")
	faults.Name(o.Name)
	limit := check(faults, o.Limit)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = telemetry.DefaultName
	}
	b := &Bulkhead{
		name: o.Name,
		slots: &slots{
			limit:   limit,
			clock:   clock.New(),
			refused: telemetry.NewCell(requests.Words() - wordRejected),
		},
	}
	observe(b, o)
	return b, nil
}

// Do calls fn with ctx if a slot is free, and returns fn's error as it is. It never blocks on its own.
//
// It returns a [*FullError] when all slots are taken, and ctx.Err() when ctx has ended already; fn is not called then.
// Once fn runs, ctx is its business: Do returns when fn does. A panic or a runtime.Goexit in fn gives the slot back and
// takes its course, a panic with the stack it has. fn must not be nil. Do allocates nothing unless it refuses.
func (b *Bulkhead) Do(ctx context.Context, fn func(context.Context) error) error {
	began, err := b.enter(ctx)
	if err != nil {
		return err
	}
	defer b.slots.leave(began)
	return fn(ctx)
}

// DoValue is [Bulkhead.Do] for a function that also returns a value. When fn is not called, the value is zero.
func DoValue[V any](ctx context.Context, b *Bulkhead, fn func(context.Context) (V, error)) (V, error) {
	began, err := b.enter(ctx)
	if err != nil {
		var zero V
		return zero, err
	}
	defer b.slots.leave(began)
	return fn(ctx)
}

func (b *Bulkhead) enter(ctx context.Context) (began int64, err error) {
	if err := ctx.Err(); err != nil {
		b.slots.refused.Inc(wordCancelled - wordRejected)
		return 0, err
	}
	began, inflight, ok := b.slots.enter()
	if !ok {
		return 0, b.refuse(ctx, inflight)
	}
	return began, nil
}

func (b *Bulkhead) refuse(ctx context.Context, inflight uint64) error {
	b.slots.refused.Inc(0)
	telemetry.Event(ctx, "joist.bulkhead.full", b.name)
	return &FullError{
		Name:     b.name,
		Limit:    int(b.slots.limit),
		InFlight: int(inflight),
		Wait:     b.slots.typical.Get(),
	}
}

// Stats is a snapshot of a bulkhead. Its numbers are read one after the other, so under load they may differ by calls
// that came or went meanwhile.
type Stats struct {
	// Limit is how many calls may be in flight.
	Limit int
	// InFlight is how many calls are, at most Limit.
	InFlight int
	// Accepted, Rejected and Cancelled count what became of the calls to Do since New: let in, refused because all
	// slots were taken, and not tried because the context had ended.
	Accepted, Rejected, Cancelled int64
	// Typical is the moving average of the time of a call: of all calls if they typically take 20 µs or more, else of
	// one in 64. It is 0 before the first one ended.
	Typical time.Duration
}

// Stats returns a snapshot. It does not block.
func (b *Bulkhead) Stats() Stats {
	s := b.slots
	return Stats{
		Limit:     int(s.limit),
		InFlight:  int(s.inflight()),
		Accepted:  s.accepted(),
		Rejected:  s.Total(wordRejected),
		Cancelled: s.Total(wordCancelled),
		Typical:   s.typical.Get(),
	}
}
