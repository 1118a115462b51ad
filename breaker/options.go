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
	DefaultSlowRatio    = 1.0
	DefaultOpenFor      = 5 * time.Second
	DefaultMaxOpenFor   = time.Minute
	DefaultProbes       = 5
	DefaultProbeTimeout = 10 * time.Second
)

const (
	minWindow    = 10 * time.Millisecond
	maxWindow    = 24 * time.Hour
	maxLastCalls = 10_000
	minSlowCall  = time.Millisecond
	maxSlowCall  = 24 * time.Hour
	maxMinCalls  = 1_000_000
	maxProbes    = 1000
	maxRamp      = 24 * time.Hour
)

// Window says over which calls a closed breaker computes its ratio. The zero Window is Last(DefaultWindow).
type Window struct {
	last  time.Duration
	calls int
	kind  windowKind
}

// windowKind tells Last(0) and LastCalls(0), which are errors, from the zero Window.
type windowKind uint8

const (
	byDefault windowKind = iota
	byTime
	byCalls
)

// Last is a window over the calls that ended in the last d, from 10 ms to 24 h. It slides in steps of d/10, so that it
// covers between 0.9 d and d. Counting is lock-free.
func Last(d time.Duration) Window { return Window{last: d, kind: byTime} }

// LastCalls is a window over the last n calls that ended, from 1 to 10 000, whenever that was: each call evicts the oldest.
// It counts exactly, under a mutex that is held for some nanoseconds, and takes n bytes and some 200 more. It suits a dependency whose calls
// come so seldom that a time holds too few of them.
func LastCalls(n int) Window { return Window{calls: n, kind: byCalls} }

// valid reports whether the bounds are kept.
func (w Window) valid() bool {
	switch w.kind {
	case byTime:
		return w.last >= minWindow && w.last <= maxWindow
	case byCalls:
		return w.calls >= 1 && w.calls <= maxLastCalls
	default:
		return true
	}
}

// String returns the call that made w.
func (w Window) String() string {
	switch w.kind {
	case byTime:
		return fmt.Sprintf("Last(%v)", w.last)
	case byCalls:
		return fmt.Sprintf("LastCalls(%d)", w.calls)
	default:
		return fmt.Sprintf("Last(%v)", DefaultWindow)
	}
}

// Options configure a [Breaker]. The zero Options are valid: every field has a default.
type Options struct {
	// Name tells breakers apart in errors and metrics. Empty is "default".
	Name string

	// Window is what the ratios are computed over, [Last] or [LastCalls]. Zero is Last(10 s).
	Window Window
	// MinCalls is the number of calls in the window below which no ratio opens a closed breaker, from 1 to 1 000 000, and
	// not above n of LastCalls(n). 0 is 20, or n if that is less.
	MinCalls int
	// FailureRatio opens the breaker when this share of the calls in the window failed, or more. It is above 0 and at
	// most 1; 0 is 0.5. It decides over the probes of a half-open breaker too.
	FailureRatio float64
	// ConsecutiveFailures opens the breaker after so many failures in a row, up to 1 000 000, whatever the window holds.
	// MinCalls, which keeps a ratio over a few calls from deciding, has no say in it. Ignored calls do not interrupt a row,
	// nor do calls that hang, until they end. 0: a row does not matter. With FailureRatio 1 and MinCalls not below it,
	// nothing else matters but slow calls.
	ConsecutiveFailures int

	// SlowCall is how long a call lasts at least that is slow, from 1 ms to 24 h. 0: no call is. A call that hangs is
	// counted as slow while it does, once it has lasted SlowCall and at most a seventh of it longer, and not again
	// when it ends; so a breaker opens though no call comes back. If such a call fails in the end, what was counted
	// becomes a failure. The next call, State or Stats finds out; no timer runs.
	//
	// Slow calls are a part of all calls, for FailureRatio, too, and a slow call that fails is a failure as well as slow.
	// It is one call: in Stats and metrics it is slow, and not a failure. Each call reads the clock twice and changes two
	// more words than without. A breaker takes 3 KB more, one of a Keyed some 250 bytes.
	SlowCall time.Duration
	// SlowRatio opens the breaker when this share of the calls in the window was slow, or more, and decides over the
	// probes of a half-open one, too. It is above 0 and at most 1, and needs SlowCall; 0 is 1: all of them.
	SlowRatio float64

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
	lastCalls    int   // instead of span, if not 0
	slowCall     int64 // or 0
	limits       *limits
	openFor      time.Duration
	maxOpenFor   time.Duration
	probes       int
	probeTimeout int64
	ramp         time.Duration
	keyed        bool // of a Keyed: calls that are out are counted, and each breaker is to be small
	isFailure    func(error) bool
}

// check records what is wrong with o.
func (o *Options) check(f *options.Faults) {
	f.Name(o.Name)
	f.Require(o.Window.valid(), "Window", o.Window, "must last from 10ms to 24h, or be of 1 to 10000 calls")
	f.Require(o.MinCalls >= 0 && o.MinCalls <= maxMinCalls, "MinCalls", o.MinCalls, "must be from 1 to 1000000 (0 is the default)")
	f.Require(o.Window.kind != byCalls || o.MinCalls <= max(o.Window.calls, 0), "MinCalls", o.MinCalls,
		"must not be above the number of calls in Window (0 is the default)")
	f.Require(o.ConsecutiveFailures >= 0 && o.ConsecutiveFailures <= maxMinCalls, "ConsecutiveFailures", o.ConsecutiveFailures,
		"must be from 1 to 1000000 (0 is off)")
	f.Require(o.SlowCall == 0 || o.SlowCall >= minSlowCall && o.SlowCall <= maxSlowCall, "SlowCall", o.SlowCall,
		"must be from 1ms to 24h (0 is off)")
	f.Require(o.SlowRatio >= 0 && o.SlowRatio <= 1, "SlowRatio", o.SlowRatio, "must be above 0 and at most 1 (0 is the default)")
	f.Require(o.SlowRatio == 0 || o.SlowCall != 0, "SlowRatio", o.SlowRatio, "needs SlowCall")
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
	minCalls := DefaultMinCalls
	if o.Window.kind == byCalls {
		minCalls = min(minCalls, o.Window.calls)
	}
	return &settings{
		name:      cmp.Or(o.Name, telemetry.DefaultName),
		clock:     clock.New(),
		span:      int64(cmp.Or(o.Window.last, DefaultWindow)) / buckets,
		lastCalls: o.Window.calls,
		slowCall:  int64(o.SlowCall),
		limits: &limits{
			minCalls:     int64(cmp.Or(o.MinCalls, minCalls)),
			failureRatio: cmp.Or(o.FailureRatio, DefaultFailureRatio),
			slowRatio:    cmp.Or(o.SlowRatio, DefaultSlowRatio),
			row:          uint64(o.ConsecutiveFailures),
		},
		openFor:      openFor,
		maxOpenFor:   cmp.Or(o.MaxOpenFor, max(DefaultMaxOpenFor, openFor)),
		probes:       cmp.Or(o.Probes, DefaultProbes),
		probeTimeout: int64(cmp.Or(o.ProbeTimeout, DefaultProbeTimeout)),
		ramp:         o.Ramp,
		isFailure:    o.IsFailure,
	}
}
