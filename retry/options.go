package retry

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/options"
)

// DefaultMaxAttempts is the MaxAttempts of the zero [Options].
const DefaultMaxAttempts = 3

// Unlimited as [Options].MaxAttempts sets no limit: the deadline, the budget and the errors end a call.
const Unlimited = -1

// AnyHint as [Options].MaxHint accepts every hint: the deadline alone limits a wait that a server asks for.
const AnyHint = -1

// Options configures a [Policy]. The zero value is valid.
type Options struct {
	// Name tells policies apart: the attribute joist.name of metrics, spans and errors. At most 128 bytes; empty is
	// "default".
	Name string

	// MaxAttempts is how many times the work is called in all, the first included. 1 never retries, 0 is
	// DefaultMaxAttempts, Unlimited sets no limit.
	MaxAttempts int

	// Backoff gives the wait before each retry. The zero value is Exponential(DefaultBase, DefaultCap).
	Backoff Backoff

	// AttemptTimeout limits each attempt: its ctx ends that long after it began. What then fails with the attempt's
	// own deadline is retried, as long as the caller's ctx lives. 0 sets no limit; it must not be negative.
	AttemptTimeout time.Duration

	// MaxElapsed limits how long a call goes on retrying, from its beginning and waits included: a retry that would not be
	// over by then, by its wait and the time of a typical attempt, is not begun, and the call stops as at a deadline
	// (ReasonDeadline). It never cuts an attempt short: an attempt under way ends by itself, by AttemptTimeout, or with
	// ctx. To end the work too at a certain time, give ctx a deadline. 0 sets no limit; it must not be negative. With it
	// each call reads the clock once.
	MaxElapsed time.Duration

	// FirstTriesOnly leaves retries to whoever is further out: a call whose ctx says that it is itself part of a retry
	// ([Attempt] is above 1, from a policy around this one or from the client of a service by retryhttp.Handler) is made
	// once, as with MaxAttempts 1. Without it the retries of nested policies multiply: four with 3 attempts each send 81
	// calls to what is down. Set it where calls pass through several policies, and on all but the outermost at least.
	FirstTriesOnly bool

	// Budget limits retries to a share of the calls. Share one between the policies that target one dependency. Nil is a
	// budget of the policy's own with the defaults of BudgetOptions; NoBudget lifts the limit.
	Budget *Budget

	// Retryable tells whether another attempt may help after err. It is asked about every failure except those that
	// are decided before: an error whose method Retryable() bool says false (such as Permanent's), and any failure once
	// ctx is over. It may be called from many goroutines at once. Nil retries all of them.
	Retryable func(err error) bool

	// MaxHint is the longest wait that an error may ask for with RetryAfter: after an error that asks for more, the
	// policy stops at once. 0 is the Backoff's cap, AnyHint accepts every hint. No other negative value is valid.
	MaxHint time.Duration

	// HedgeDelay is how long [Hedge] waits for an answer before it makes another attempt beside the ones under way. 0
	// leaves it to HedgePercentile. With both, it is the delay while too few calls are measured. It must not be negative.
	HedgeDelay time.Duration

	// HedgePercentile has [Hedge] wait for as long as this share of first attempts takes at most, as measured by the
	// policy over its last calls of Hedge: with 0.95 about 1 call in 20 is hedged. From 0.5 to 0.999. 0 is
	// DefaultHedgePercentile if HedgeDelay is 0 too, else HedgeDelay always holds. Until enough calls are measured (100
	// at least, for 0.999 10 000) and without a HedgeDelay, another attempt is made only when one has failed.
	HedgePercentile float64

	// MaxHedges is how many attempts one call of [Hedge] may make beside its first, 1 to 9. 0 is DefaultMaxHedges.
	// MaxAttempts and Backoff are for Do and its like, and say nothing about Hedge.
	MaxHedges int

	// OnRetry is called right before each attempt after the first, when its wait is over, in the goroutine of the call
	// and outside every lock. It may use the policy. [Hedge] tells it of hedges likewise. Nil is none.
	OnRetry func(ctx context.Context, event Event)

	// Logger is told of a panic that no caller learns of: that of an attempt of [Hedge] whose call had ended before. Nil is
	// slog.Default() at the time of the panic.
	Logger *slog.Logger

	// MeterProvider and TracerProvider are where metrics and spans go. Nil is OpenTelemetry's global provider.
	MeterProvider  metric.MeterProvider
	TracerProvider trace.TracerProvider
}

// Event tells [Options].OnRetry about a retry that begins.
type Event struct {
	Policy  string        // Name of the policy
	Attempt int           // the attempt that begins, 2 or more
	Waited  time.Duration // the wait before it, 0 for a hedge
	Err     error         // why the attempt before it failed, nil for a hedge that goes out before any has
}

// check reports all faults of o, joined.
func (o *Options) check() error {
	f := options.Check("joist/retry", "Options")
	f.Name(o.Name)
	f.Require(o.MaxAttempts >= Unlimited, "MaxAttempts", o.MaxAttempts, "must not be negative (Unlimited is -1)")
	f.Require(o.Backoff.delaysValid(), "Backoff", o.Backoff, "must have a positive base and a cap not below it")
	f.Require(o.Backoff.jitterValid(), "Backoff", o.Backoff, "must have Full, Equal or None as its jitter, and Decorrelated Full")
	f.Require(o.AttemptTimeout >= 0, "AttemptTimeout", o.AttemptTimeout, "must not be negative")
	f.Require(o.MaxElapsed >= 0, "MaxElapsed", o.MaxElapsed, "must not be negative")
	f.Require(o.MaxHint >= AnyHint, "MaxHint", o.MaxHint, "must not be negative (AnyHint is -1)")
	o.checkHedging(f)
	f.Require(o.Budget == nil || o.Budget.made(), "Budget", struct{}{}, "must come from NewBudget, or be nil or NoBudget")
	return f.Err()
}
