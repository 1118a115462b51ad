package retryhttp

import (
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/joist-go/joist/internal/attempt"
	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
	"github.com/joist-go/joist/retry"
)

// The instrumentation scope of this package's spans. Its metrics are those of package retry.
const (
	ScopeName = "github.com/joist-go/joist/retry/retryhttp"
	Version   = telemetry.Version
)

// Options configures a [Transport]. The zero value is valid.
type Options struct {
	// Options are those of the policy, and mean the same, with two differences. AttemptTimeout limits the time until an
	// attempt's header has arrived, not the time that the caller takes to read the body. Retryable is asked about
	// transport errors and about answers that Statuses names, which it gets as a [*StatusError].
	//
	// A Transport does not hedge: HedgeDelay, HedgePercentile, MaxHedges and Logger have no effect. Put [retry.Hedge]
	// around a client without one for that.
	retry.Options

	// Base makes each attempt. Nil is http.DefaultTransport.
	Base http.RoundTripper

	// Statuses are the answers that are retried. Each must be from 400 to 599. Nil is 429, 502, 503 and 504; an empty
	// slice that is not nil is none.
	Statuses []int

	// OmitHeaders leaves out the header fields Joist-Attempt and Joist-Timeout, which tell the server about the attempt
	// and the time that it has left. They do no harm to a server that does not know them. False sends them.
	OmitHeaders bool
}

// defaultStatuses say that the request was not dealt with, and may be soon.
var defaultStatuses = []int{
	http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// Transport is an http.RoundTripper that repeats requests which are safe to repeat. It is made with [New] and is safe
// for concurrent use.
type Transport struct {
	base        http.RoundTripper
	policy      *retry.Policy
	statuses    [600]bool
	timeout     time.Duration // of an attempt's header, 0 for none
	maxAttempts int           // 0: unlimited
	firstTries  bool          // a call that is a retry already is sent once
	omitHeaders bool
	name        string
	tracer      trace.Tracer // nil: none
}

// New returns a Transport, or all faults of o joined.
func New(o Options) (*Transport, error) {
	f := options.Check("joist/retryhttp", "Options")
	f.Require(o.AttemptTimeout >= 0, "AttemptTimeout", o.AttemptTimeout, "must not be negative")
	if o.Statuses == nil {
		o.Statuses = defaultStatuses
	}
	t := &Transport{
		base:        o.Base,
		timeout:     o.AttemptTimeout,
		maxAttempts: o.MaxAttempts,
		firstTries:  o.FirstTriesOnly,
		omitHeaders: o.OmitHeaders,
		name:        o.Name,
	}
	for _, status := range o.Statuses {
		ok := 400 <= status && status < len(t.statuses)
		f.Require(ok, "Statuses", status, "must be from 400 to 599")
		if ok {
			t.statuses[status] = true
		}
	}

	// The policy neither limits nor traces attempts: the transport does both itself, because an attempt's context must
	// live as long as the body of its answer, and its span tells of HTTP.
	inner := o.Options
	inner.AttemptTimeout = 0
	inner.TracerProvider = noop.NewTracerProvider()
	policy, err := retry.New(inner)
	if err := errors.Join(f.Err(), err); err != nil {
		return nil, err
	}
	t.policy = policy
	if _, off := o.TracerProvider.(noop.TracerProvider); !off { // whose spans would be allocated all the same
		t.tracer = telemetry.NewTracer(o.TracerProvider, ScopeName)
	}
	if t.base == nil {
		t.base = http.DefaultTransport
	}
	switch t.maxAttempts {
	case 0:
		t.maxAttempts = retry.DefaultMaxAttempts
	case retry.Unlimited:
		t.maxAttempts = 0
	}
	if t.name == "" {
		t.name = telemetry.DefaultName
	}
	return t, nil
}

// Stats returns a snapshot of the policy's counters.
func (t *Transport) Stats() retry.Stats { return t.policy.Stats() }

// RoundTrip sends req, and again while the answer or the error is one to retry, the request is safe to repeat, and the
// policy allows it. When the policy stops, the last answer is returned with a nil error, its body whole: a caller sees
// the server's 503 and its header, not an error about attempts. When the last attempt had no answer, or req's context is
// over, the error is a [*retry.Error], or the base's own error if it was not to be retried.
//
// It keeps the contract of http.RoundTripper: req is not changed and its body always closed. It is called by
// http.Client, and blocks until an answer is there, the policy stops, or req's context is over.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchange{t: t, req: req, replayable: replayable(req), most: t.maxAttempts}
	if t.firstTries && attempt.From(req.Context()) > 1 {
		x.most = 1
	}
	x.repeatable = x.replayable && idempotent(req)
	decided := false
	defer func() {
		if !decided { // a callback panicked or ended its goroutine, so that nobody gets the answer
			x.discard()
		}
	}()
	err := t.policy.Do(req.Context(), x.attempt)
	decided = true
	return x.result(err)
}

// CloseIdleConnections closes those of Base, if it can. It makes http.Client.CloseIdleConnections work.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}
