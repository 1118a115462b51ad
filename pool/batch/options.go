package batch

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// The defaults of [Options].
const (
	DefaultMaxSize     = 100
	DefaultMaxWait     = 2 * time.Millisecond
	DefaultConcurrency = 4
	DefaultMaxPending  = 1 << 16
	DefaultTimeout     = 30 * time.Second
)

// NoTimeout as [Options].Timeout lets a batch take as long as it likes.
const NoTimeout time.Duration = -1

// Options configures a [Batcher]. Run is required; everything else has a default.
type Options[K comparable, V any] struct {
	// Name tells this batcher from others in metrics, logs and errors. At most 128 bytes; empty is "default".
	Name string

	// Run answers a batch. Its keys are distinct, in the order in which they came, at least 1 and at most MaxSize; it may
	// keep them. What it returns is explained in the package comment. It runs on a goroutine of the batcher, at most
	// Concurrency at a time, outside every lock, and may call the batcher; a call that waits for a batch from within one
	// needs a second place. Required.
	Run func(ctx context.Context, keys []K) (map[K]V, error)

	// MaxSize is the greatest number of keys in a batch, at least 1. 0 is DefaultMaxSize.
	MaxSize int

	// MaxBytes is the greatest sum of SizeOf over the keys of a batch; a key above it goes alone. 0 is no limit; it must
	// not be negative.
	MaxBytes int

	// SizeOf is what a key counts towards MaxBytes, at least 0. It runs on the caller's goroutine, outside every lock.
	// It is required with MaxBytes, and not used without.
	SizeOf func(key K) int

	// Linger has a batch wait MaxWait for more calls, even when no more come. It suits callers that come one by one and
	// can wait. A call whose deadline is nearer than that, and the time that a batch typically runs, makes the batch go
	// at once. False lets a batch go when it is idle.
	Linger bool

	// MaxWait is how long a batch collects calls at most, from its first one. 0 is DefaultMaxWait; it must not be
	// negative.
	MaxWait time.Duration

	// Concurrency is how many batches may run at once, at least 1. 0 is DefaultConcurrency.
	Concurrency int

	// MaxPending is how many calls may wait for batches that have not begun, at least 1; more get a [*FullError]. 0 is
	// DefaultMaxPending.
	MaxPending int

	// Timeout is after what time the context of a batch ends. Run should return then; who waits goes on waiting until it
	// does, or until its own context ends. 0 is DefaultTimeout; of negative values only NoTimeout is valid.
	Timeout time.Duration

	// MeterProvider makes the instruments; nil is the global one.
	MeterProvider metric.MeterProvider

	// TracerProvider is there as in every Options. A batch belongs to no caller's span, and opens none.
	TracerProvider trace.TracerProvider

	// Logger is told of batches that fail when nobody waits any more; nil is slog.Default(). At most one line per cause
	// in 10 s, without keys, values and error texts.
	Logger *slog.Logger
}

// New returns a Batcher, or all faults of o joined.
func New[K comparable, V any](o Options[K, V]) (*Batcher[K, V], error) {
	f := options.Check("joist/batch", "Options")
	f.Name(o.Name)
	if o.Run == nil {
		f.Missing("Run")
	}
	f.Require(o.MaxSize >= 0, "MaxSize", o.MaxSize, "must not be negative (0 is the default)")
	f.Require(o.MaxBytes >= 0, "MaxBytes", o.MaxBytes, "must not be negative (0 is no limit)")
	if o.MaxBytes > 0 && o.SizeOf == nil {
		f.Missing("SizeOf")
	}
	f.Require(o.MaxWait >= 0, "MaxWait", o.MaxWait, "must not be negative (0 is the default)")
	f.Require(o.Concurrency >= 0, "Concurrency", o.Concurrency, "must not be negative (0 is the default)")
	f.Require(o.MaxPending >= 0, "MaxPending", o.MaxPending, "must not be negative (0 is the default)")
	f.Require(o.Timeout >= 0 || o.Timeout == NoTimeout, "Timeout", o.Timeout, "must be positive, 0 for the default, or NoTimeout")
	if err := f.Err(); err != nil {
		return nil, err
	}
	b := &Batcher[K, V]{
		name:       cmp.Or(o.Name, telemetry.DefaultName),
		run:        o.Run,
		maxSize:    cmp.Or(o.MaxSize, DefaultMaxSize),
		maxBytes:   o.MaxBytes,
		sizeOf:     o.SizeOf,
		linger:     o.Linger,
		maxWait:    cmp.Or(o.MaxWait, DefaultMaxWait),
		places:     cmp.Or(o.Concurrency, DefaultConcurrency),
		maxPending: cmp.Or(o.MaxPending, DefaultMaxPending),
		timeout:    cmp.Or(o.Timeout, DefaultTimeout),
		clock:      clock.New(),
		cell:       telemetry.NewCell(words),
		log:        telemetry.NewLog(o.Logger, "joist/batch", o.Name),
		idle:       make(chan struct{}),
	}
	b.refusal = &ClosedError{Name: b.name}
	b.ctx, b.cancel = context.WithCancelCause(context.Background())
	b.observe(telemetry.NewMeter(o.MeterProvider, ScopeName, o.Name))
	return b, nil
}
