package breaker

import (
	"cmp"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// The defaults of Options.
const (
	DefaultWindow       = 10 * time.Second
	DefaultMinCalls     = 20
	DefaultFailureRatio = 0.5
	DefaultOpenFor      = 5 * time.Second
	DefaultMaxOpenFor   = time.Minute
	DefaultProbes       = 5
	DefaultProbeTimeout = 10 * time.Second
)

const (
	minWindow   = 10 * time.Millisecond
	maxWindow   = 24 * time.Hour
	maxMinCalls = 1_000_000
	maxProbes   = 1000
	maxRamp     = 24 * time.Hour
)

// Window says over which calls a closed breaker computes its ratio. The zero Window is Last(DefaultWindow).
type Window struct {
	last time.Duration
}

// Last is a window over the calls that ended in the last d, from 10 ms to 24 h. It slides in steps of d/10, so that it
// covers between 0.9 d and d. Counting is lock-free.
func Last(d time.Duration) Window { return Window{last: d} }

// String returns the call that made w.
func (w Window) String() string { return fmt.Sprintf("Last(%v)", w.last) }

// Options configure a [Breaker]. The zero Options are valid: every field has a default.
type Options struct {
	// Name tells breakers apart in errors and metrics. Empty is "default".
	Name string

	// Window is what the failure ratio is computed over. Zero is Last(10 s).
	Window Window
	// MinCalls is the number of calls in the window below which a closed breaker never opens, from 1 to 1 000 000. 0 is
	// 20.
	MinCalls int
	// FailureRatio opens the breaker when this share of the calls in the window failed, or more. It is above 0 and at
	// most 1; 0 is 0.5. It decides over the probes of a half-open breaker too.
	FailureRatio float64

	// OpenFor is how long the breaker stays open, at least. 0 is 5 s. The n-th opening in a row lasts OpenFor × 2ⁿ⁻¹,
	// plus up to half of it at random so that many processes do not probe at once, and at most MaxOpenFor.
	OpenFor time.Duration
	// MaxOpenFor bounds the growth of OpenFor and is not below it. 0 is one minute, or OpenFor if that is longer. The
	// same value as OpenFor makes every opening last exactly that.
	MaxOpenFor time.Duration

	// Probes is how many calls a half-open breaker lets out at once, and how many results it decides upon, from 1 to
	// 1000. 0 is 5.
	Probes int
	// ProbeTimeout is how long a probe may take. One that takes longer counts as a failure from then on, and another may
	// go out in its place. 0 is 10 s.
	ProbeTimeout time.Duration

	// Ramp is how long a breaker that closes takes to let all calls through, up to 24 h. 0 is not at all: it lets them all
	// through at once. The share that is let through is the part of Ramp that has passed, but at least a tenth; it rises in
	// steps of 1/1024. The calls are taken evenly, not at random: at a share of a quarter each fourth, and the first. The
	// others are refused with an [*OpenError] whose State is Closed. A breaker that ramps counts and opens as a closed one
	// does, and the opening that follows is longer than the one before, for a recovery ends with the ramp.
	Ramp time.Duration

	// Mode is the mode to begin in. The zero Mode is [Normal]. See [Breaker.SetMode].
	Mode Mode

	// IsFailure says whether an error counts as a failure; one that does not is a success. nil: every error is a failure.
	// It is not asked about nil, refusals, errors marked with [Ignore], the caller's own cancellation, and deadlines.
	// It runs on the caller's goroutine, outside every lock.
	IsFailure func(error) bool

	// OnStateChange is told of each change of state, in order, one at a time, outside every lock: it may call the
	// breaker. It runs on the goroutine of a call that found the change or one that was telling an earlier change, so
	// keep it short. A change that time alone brings about is found by the next Allow, Do, State or Stats. While a listener
	// does not return, up to 64 changes wait for it; beyond that the oldest are dropped, which shows as a gap in
	// [Transition].Generation.
	OnStateChange func(Transition)

	// MeterProvider makes the breaker's instruments; nil is the global one.
	MeterProvider metric.MeterProvider
	// TracerProvider is accepted as in all blocks. A breaker opens no spans: it puts events on its caller's.
	TracerProvider trace.TracerProvider
}

// settings are valid Options with their defaults, shared by all breakers of a Keyed.
type settings struct {
	name         string
	clock        clock.Clock
	span         int64
	minCalls     int64
	failureRatio float64
	openFor      time.Duration
	maxOpenFor   time.Duration
	probes       int
	probeTimeout int64
	ramp         time.Duration
	keyed        bool // of a Keyed: calls that are out are counted
	isFailure    func(error) bool
}

// check records what is wrong with o.
func (o *Options) check(f *options.Faults) {
	f.Name(o.Name)
	f.Require(o.Window.last == 0 || o.Window.last >= minWindow && o.Window.last <= maxWindow, "Window", o.Window,
		"must last from 10ms to 24h (0 is the default)")
	f.Require(o.MinCalls >= 0 && o.MinCalls <= maxMinCalls, "MinCalls", o.MinCalls, "must be from 1 to 1000000 (0 is the default)")
	f.Require(o.FailureRatio >= 0 && o.FailureRatio <= 1, "FailureRatio", o.FailureRatio,
		"must be above 0 and at most 1 (0 is the default)")
	f.Require(o.OpenFor >= 0, "OpenFor", o.OpenFor, "must be positive (0 is the default)")
	f.Require(o.MaxOpenFor == 0 || o.MaxOpenFor >= max(cmp.Or(o.OpenFor, DefaultOpenFor), 0), "MaxOpenFor", o.MaxOpenFor,
		"must not be below OpenFor (0 is the default)")
	f.Require(o.Probes >= 0 && o.Probes <= maxProbes, "Probes", o.Probes, "must be from 1 to 1000 (0 is the default)")
	f.Require(o.ProbeTimeout >= 0, "ProbeTimeout", o.ProbeTimeout, "must be positive (0 is the default)")
	f.Require(o.Ramp >= 0 && o.Ramp <= maxRamp, "Ramp", o.Ramp, "must be from 0 to 24h")
	f.Require(o.Mode < modes, "Mode", uint8(o.Mode), "must be one of the constants of this package")
}

// settings fills in the defaults of valid options.
func (o *Options) settings() *settings {
	openFor := cmp.Or(o.OpenFor, DefaultOpenFor)
	return &settings{
		name:         cmp.Or(o.Name, telemetry.DefaultName),
		clock:        clock.New(),
		span:         int64(cmp.Or(o.Window.last, DefaultWindow)) / buckets,
		minCalls:     int64(cmp.Or(o.MinCalls, DefaultMinCalls)),
		failureRatio: cmp.Or(o.FailureRatio, DefaultFailureRatio),
		openFor:      openFor,
		maxOpenFor:   cmp.Or(o.MaxOpenFor, max(DefaultMaxOpenFor, openFor)),
		probes:       cmp.Or(o.Probes, DefaultProbes),
		probeTimeout: int64(cmp.Or(o.ProbeTimeout, DefaultProbeTimeout)),
		ramp:         o.Ramp,
		isFailure:    o.IsFailure,
	}
}
