package cache

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// What the value -1 of an option means, as its field says.
const (
	// Unlimited is the value of an option that sets no limit, such as a TTL that never ends.
	Unlimited = -1
	// Off is the value of an option that switches off what it controls.
	Off = -1
)

// The defaults of Options, each used when the field is 0.
const (
	DefaultMaxEntries         = 10_000
	DefaultNotFoundTTL        = 10 * time.Second // at most TTL
	DefaultErrorBackoff       = 5 * time.Second
	DefaultLoadTimeout        = 10 * time.Second
	DefaultJitter             = 0.1
	DefaultRefreshConcurrency = 16
)

// Options say how a [Cache] behaves. Load and TTL are required; every other field may be 0. The one negative
// value that is allowed, -1, is [Unlimited] or [Off], as each field says.
type Options[K comparable, V any] struct {
	// Name tells this cache from others in metrics, spans, logs and errors. At most 128 bytes; "default" if empty.
	Name string

	// Load reads the value of a key from where it really lives. It is required. It returns an error for which
	// errors.Is(err, ErrNotFound) holds when there is no such value; any other error is a failure of the source.
	//
	// Its context carries the values of the context of the Get that caused the load, such as the trace, but not its
	// cancellation or deadline: others may be waiting for the same load. It ends after LoadTimeout and when Close gives
	// up waiting. At most one load of a key runs at a time, but for the cases named at LoadTimeout, Set and Delete.
	Load func(ctx context.Context, key K) (V, error)

	// TTL is how long a value is fresh, counted from the start of its load, less Jitter. It is required. Unlimited: a
	// value stays fresh until it is replaced, deleted or evicted for room.
	TTL time.Duration

	// StaleWhileRevalidate is how long after its TTL a value is still served at once while it is refreshed in the
	// background (RFC 5861). 0: not at all. Unlimited: until the refresh succeeds.
	StaleWhileRevalidate time.Duration

	// StaleIfError is how long after its TTL a value is still served when its load fails (RFC 5861). It runs beside
	// StaleWhileRevalidate, not after it. 0: not at all. Unlimited: for as long as loads fail.
	StaleIfError time.Duration

	// NotFoundTTL is how long the answer ErrNotFound is kept, from the start of its load, less Jitter. Kept answers count
	// in MaxEntries like values. 0: DefaultNotFoundTTL or TTL, whichever is shorter. Off: each Get of such a key loads.
	NotFoundTTL time.Duration

	// ErrorBackoff is the longest time in which a key whose load failed is not loaded again. The first failure waits for
	// 1/16 of it, each further one in a row for twice as long as the one before, of which up to half is taken away at
	// random. A load error that says itself how long to wait (RetryAfter) is obeyed up to ErrorBackoff. In the meantime a
	// Get answers with the stale value if StaleWhileRevalidate or StaleIfError allow it, else with a *BackoffError.
	// 0: DefaultErrorBackoff. Off: every Get may load.
	ErrorBackoff time.Duration

	// LoadTimeout is the hard end of a load. Then its waiters get an error for which errors.Is(err,
	// context.DeadlineExceeded) holds, and the key is free, even if Load ignores its context and goes on: what it still
	// returns is dropped. 0: DefaultLoadTimeout. Unlimited: a load that hangs holds its key.
	LoadTimeout time.Duration

	// Jitter is the share, at most 1, by which TTL and NotFoundTTL are shortened at random, so that entries made together
	// do not go stale together. 0: DefaultJitter. Off: none.
	Jitter float64

	// RefreshConcurrency bounds the background refreshes that run at once. A stale value found when all are busy is
	// served without a refresh; a later Get starts it. 0: DefaultRefreshConcurrency. Unlimited: one per stale key.
	RefreshConcurrency int

	// MaxEntries bounds the entries: values, kept ErrNotFound answers and failed keys together. At the bound, those least
	// likely to be used again make room. 0: DefaultMaxEntries. Unlimited: memory is bounded by the entries' lives alone.
	MaxEntries int

	// MeterProvider makes the instruments. nil: the global one.
	MeterProvider metric.MeterProvider
	// TracerProvider makes the spans of loads. nil: the global one.
	TracerProvider trace.TracerProvider
	// Logger is told of failed loads, in the foreground and behind, at most one line per cause in 10 s, without keys,
	// values or the texts of errors.
	// nil: slog.Default().
	Logger *slog.Logger
}

// validate returns everything that is wrong with o.
func (o *Options[K, V]) validate() error {
	f := options.Check("joist/cache", "Options")
	f.Name(o.Name)
	if o.Load == nil {
		f.Missing("Load")
	}
	if o.TTL == 0 {
		f.Missing("TTL")
	}
	const unlimited, off = "must not be negative (Unlimited is -1)", "must not be negative (Off is -1)"
	f.Require(o.TTL >= Unlimited, "TTL", o.TTL, unlimited)
	f.Require(o.StaleWhileRevalidate >= Unlimited, "StaleWhileRevalidate", o.StaleWhileRevalidate, unlimited)
	f.Require(o.StaleIfError >= Unlimited, "StaleIfError", o.StaleIfError, unlimited)
	f.Require(o.NotFoundTTL >= Off, "NotFoundTTL", o.NotFoundTTL, off)
	f.Require(o.ErrorBackoff >= Off, "ErrorBackoff", o.ErrorBackoff, off)
	f.Require(o.LoadTimeout >= Unlimited, "LoadTimeout", o.LoadTimeout, unlimited)
	f.Require(o.Jitter >= 0 && o.Jitter <= 1 || o.Jitter == Off, "Jitter", o.Jitter, "must be 0 to 1 (Off is -1)")
	f.Require(o.RefreshConcurrency >= Unlimited, "RefreshConcurrency", o.RefreshConcurrency, unlimited)
	f.Require(o.MaxEntries >= Unlimited, "MaxEntries", o.MaxEntries, unlimited)
	return f.Err()
}

// withDefaults returns o with every default in place. Negative durations and counts stay as they are.
func (o Options[K, V]) withDefaults() Options[K, V] {
	if o.Name == "" {
		o.Name = telemetry.DefaultName
	}
	if o.NotFoundTTL == 0 {
		o.NotFoundTTL = DefaultNotFoundTTL
		if o.TTL > 0 {
			o.NotFoundTTL = min(o.NotFoundTTL, o.TTL)
		}
	}
	setDefault(&o.ErrorBackoff, DefaultErrorBackoff)
	setDefault(&o.LoadTimeout, DefaultLoadTimeout)
	setDefault(&o.Jitter, DefaultJitter)
	setDefault(&o.RefreshConcurrency, DefaultRefreshConcurrency)
	setDefault(&o.MaxEntries, DefaultMaxEntries)
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
