package balance

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

// MaxEndpoints is how many endpoints there may be.
const MaxEndpoints = 1 << 16

// Off, as one of the options that name it, switches that off. No other negative value is valid.
const Off = -1

// The defaults of Options.
const (
	DefaultDecay               = 10 * time.Second
	DefaultConsecutiveFailures = 5
	DefaultFailureRatio        = 0.5
	DefaultMinCalls            = 20
	DefaultEjectFor            = 10 * time.Second
	DefaultMaxEjectFor         = 5 * time.Minute
	DefaultMaxEjected          = 0.5
	DefaultPanicAt             = 0.7
	DefaultSlowStart           = 10 * time.Second
)

const (
	maxTime        = 24 * time.Hour
	minDecay       = time.Millisecond
	minEjectFor    = time.Millisecond
	maxConsecutive = 255
	maxMinCalls    = 100
)

// Options configure a [Balancer]. The zero Options are valid: a balancer that has no endpoints yet.
type Options[E comparable] struct {
	// Name tells balancers apart in errors and metrics: the dependency that the endpoints serve, never an endpoint. At
	// most 128 bytes; "" is "default".
	Name string

	// Endpoints are what is picked from: addresses, connections, clients, whatever can be compared. At most 65 536, each
	// of them once. None: every pick is refused until [Balancer.SetEndpoints] brings some.
	Endpoints []E

	// Decay is the time in which half of what made an endpoint look slow is forgotten, from 1 ms to 24 h. 0 is 10 s. With
	// a longer one, an endpoint that was slow is tried again later.
	Decay time.Duration

	// ConsecutiveFailures is how many calls in a row must fail for an endpoint to be bad, from 1 to 255. 0 is 5; [Off]
	// leaves it to FailureRatio.
	ConsecutiveFailures int

	// FailureRatio is the share of its last calls (some 128 to 256 of them) that must have failed for an endpoint to be
	// bad, above 0 and at most 1. 0 is 0.5; [Off] leaves it to ConsecutiveFailures.
	FailureRatio float64

	// MinCalls is how many calls an endpoint must have had before FailureRatio is asked, from 1 to 100. 0 is 20.
	MinCalls int

	// EjectFor is how long an endpoint is left alone the first time that it is bad, from 1 ms to 24 h. 0 is 10 s. The next
	// time it is twice as long, then three times; for each EjectFor that it was not bad it is one time less.
	EjectFor time.Duration

	// MaxEjectFor is the longest that an endpoint is left alone, from EjectFor to 24 h. 0 is 5 min, or EjectFor if that is
	// longer.
	MaxEjectFor time.Duration

	// MaxEjected is the largest share of the endpoints that may be ejected at once, above 0 and at most 1. 0 is 0.5. It is
	// rounded down, but of two endpoints or more one may be ejected always, and all of them only if it is 1. A bad
	// endpoint above the share goes on being picked.
	MaxEjected float64

	// PanicAt is the share of bad endpoints above which none of them is ejected any more, above 0 and below 1. 0 is 0.7.
	// If so many are bad, it is not they that are, or what is left could not bear the load. [Off]: there is no such share;
	// together with MaxEjected 1 it has calls refused when all endpoints are bad.
	PanicAt float64

	// SlowStart is the time in which an endpoint that comes back, or joins others, is brought from a tenth to all of its
	// share of the picks, at most 24 h. 0 is 10 s; [Off] gives it all at once.
	SlowStart time.Duration

	// IsFailure tells whether an error says that the endpoint is at fault; one that does not counts as a success. nil:
	// each does. It is not asked about nil, refusals of blocks inside, what [Ignore] marks, the caller's own cancellation,
	// and deadlines, which are failures. It runs on the caller's goroutine, outside every lock.
	IsFailure func(error) bool

	// MeterProvider makes the instruments; nil is the global one.
	MeterProvider metric.MeterProvider
	// TracerProvider is accepted as in all blocks. A balancer opens no spans: it puts events on its caller's.
	TracerProvider trace.TracerProvider
}

// New returns a Balancer, or an error that tells every fault of o.
func New[E comparable](o Options[E]) (*Balancer[E], error) {
	f := options.Check("joist/balance", "Options")
	f.Name(o.Name)
	checkEndpoints(f, o.Endpoints)
	o.check(f)
	if err := f.Err(); err != nil {
		return nil, err
	}
	b := &Balancer[E]{
		book:        book{name: cmp.Or(o.Name, telemetry.DefaultName), isFailure: o.IsFailure, cell: telemetry.NewCell(words)},
		clock:       clock.New(),
		rules:       o.rules(),
		bySelf:      make(map[E]*endpoint[E], len(o.Endpoints)),
		maxEjected:  cmp.Or(o.MaxEjected, DefaultMaxEjected),
		panicAt:     cmp.Or(o.PanicAt, DefaultPanicAt),
		ejectFor:    int64(cmp.Or(o.EjectFor, DefaultEjectFor)),
		maxEjectFor: int64(cmp.Or(o.MaxEjectFor, max(DefaultMaxEjectFor, o.EjectFor))),
		slowStart:   int64(max(cmp.Or(o.SlowStart, DefaultSlowStart), 0)),
	}
	b.replace(o.Endpoints)
	observe(b, &b.book, o.MeterProvider, (*Balancer[E]).count)
	return b, nil
}

// checkEndpoints records what is wrong with a list of endpoints.
func checkEndpoints[E comparable](f *options.Faults, endpoints []E) {
	f.Require(len(endpoints) <= MaxEndpoints, "Endpoints", fmt.Sprintf("a list of %d", len(endpoints)),
		fmt.Sprintf("must be at most %d", MaxEndpoints))
	seen := make(map[E]struct{}, len(endpoints))
	for _, e := range endpoints {
		_, twice := seen[e]
		f.Require(!twice, "Endpoints", fmt.Sprintf("a list with %v twice", e), "must have each of them once")
		seen[e] = struct{}{}
	}
}

// faultsOf checks the endpoints of SetEndpoints.
func faultsOf[E comparable](endpoints []E) error {
	f := options.Check("joist/balance", "SetEndpoints")
	checkEndpoints(f, endpoints)
	return f.Err()
}

// check records what is wrong with the fields that say when an endpoint is bad, and what follows.
func (o *Options[E]) check(f *options.Faults) {
	f.Require(o.Decay == 0 || o.Decay >= minDecay && o.Decay <= maxTime, "Decay", o.Decay, "must last from 1ms to 24h (0 is the default)")
	f.Require(o.ConsecutiveFailures >= Off && o.ConsecutiveFailures <= maxConsecutive, "ConsecutiveFailures", o.ConsecutiveFailures,
		"must be from 1 to 255, or Off (0 is the default)")
	f.Require(o.FailureRatio == Off || o.FailureRatio >= 0 && o.FailureRatio <= 1, "FailureRatio", o.FailureRatio,
		"must be above 0 and at most 1, or Off (0 is the default)")
	f.Require(o.MinCalls >= 0 && o.MinCalls <= maxMinCalls, "MinCalls", o.MinCalls, "must be from 1 to 100 (0 is the default)")
	f.Require(o.EjectFor == 0 || o.EjectFor >= minEjectFor && o.EjectFor <= maxTime, "EjectFor", o.EjectFor,
		"must last from 1ms to 24h (0 is the default)")
	f.Require(o.MaxEjectFor == 0 || o.MaxEjectFor >= cmp.Or(o.EjectFor, DefaultEjectFor) && o.MaxEjectFor <= maxTime,
		"MaxEjectFor", o.MaxEjectFor, "must last from EjectFor to 24h (0 is the default)")
	f.Require(o.MaxEjected >= 0 && o.MaxEjected <= 1, "MaxEjected", o.MaxEjected, "must be above 0 and at most 1 (0 is the default)")
	f.Require(o.PanicAt == Off || o.PanicAt >= 0 && o.PanicAt < 1, "PanicAt", o.PanicAt,
		"must be above 0 and below 1, or Off (0 is the default)")
	f.Require(o.SlowStart >= Off && o.SlowStart <= maxTime, "SlowStart", o.SlowStart, "must last at most 24h, or be Off (0 is the default)")
}

// rules returns what valid options say about calls and their times.
func (o *Options[E]) rules() rules {
	return rules{
		perDecay:    1 / float64(cmp.Or(o.Decay, DefaultDecay)),
		consecutive: uint64(max(cmp.Or(o.ConsecutiveFailures, DefaultConsecutiveFailures), 0)),
		ratio:       max(cmp.Or(o.FailureRatio, DefaultFailureRatio), 0),
		minCalls:    uint64(cmp.Or(o.MinCalls, DefaultMinCalls)),
	}
}
