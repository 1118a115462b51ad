package bulkhead

import (
	"cmp"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/options"
)

// MaxQueue is the longest queue of a bulkhead.
const MaxQueue = 1 << 20

// The defaults of the queue's options.
const (
	DefaultMaxWait       = time.Second
	DefaultCoDelTarget   = 5 * time.Millisecond
	DefaultCoDelInterval = 100 * time.Millisecond
)

const (
	// Unlimited, as MaxWait, lets a call wait for as long as its context does.
	Unlimited time.Duration = -1
	// NoCoDel, as CoDelInterval, keeps the queue first in, first out, however long it stands.
	NoCoDel time.Duration = -1
)

// Options are the options of [New].
type Options struct {
	// Name tells the bulkhead apart in errors and telemetry. It is an attribute of every metric, so it should name a
	// dependency, never a user or a key. At most 128 bytes; "" is "default".
	Name string

	// Limit is how many calls may be in flight: [Fixed], [AIMD] or [Gradient]. It is required.
	Limit Limit

	// Classify tells what an error of a call says about load, for an adaptive limit. nil is [OutcomeOf]. It is not asked
	// about nil, about what is marked by [Ignore] or [Drop], about refusals of blocks inside, the caller's own
	// cancellation (all Ignored), and deadlines (Dropped). It runs on the caller's goroutine, outside every lock. If it
	// panics, the call is ignored.
	Classify func(error) Outcome

	// MaxQueue is how many calls may wait when all slots are taken, at most 1<<20. 0 is none: a call that finds no slot
	// is refused at once.
	MaxQueue int
	// MaxWait is the longest that a call waits. 0 is 1 s; [Unlimited] is as long as its context allows. It needs MaxQueue.
	MaxWait time.Duration
	// CoDelTarget is how long a call that joins an overloaded queue may wait, unless it is the next in turn. 0 is 5 ms.
	// It needs MaxQueue.
	CoDelTarget time.Duration
	// CoDelInterval is how long the queue must stand, that is not be empty, to be overloaded. 0 is 100 ms; [NoCoDel]
	// is never. It needs MaxQueue.
	CoDelInterval time.Duration

	// MeterProvider makes the instruments; nil is the global one.
	MeterProvider metric.MeterProvider

	// TracerProvider is there as in every Options. A bulkhead opens no spans: a refusal is an event on the caller's.
	TracerProvider trace.TracerProvider
}

// checkQueue records what is wrong with the options of the queue.
func (o *Options) checkQueue(f *options.Faults) {
	f.Require(o.MaxQueue >= 0 && o.MaxQueue <= MaxQueue, "MaxQueue", o.MaxQueue, fmt.Sprintf("must be from 0 (none) to %d", MaxQueue))
	for _, d := range []struct {
		field string
		value time.Duration
		off   time.Duration
		rule  string
	}{
		{"MaxWait", o.MaxWait, Unlimited, "must be positive or Unlimited (0 is the default)"},
		{"CoDelTarget", o.CoDelTarget, 0, "must be positive (0 is the default)"},
		{"CoDelInterval", o.CoDelInterval, NoCoDel, "must be positive or NoCoDel (0 is the default)"},
	} {
		f.Require(d.value >= 0 || d.value == d.off, d.field, d.value, d.rule)
		f.Require(d.value == 0 || o.MaxQueue != 0, d.field, d.value, "must be 0 without MaxQueue")
	}
}

// queue returns what valid options ask for, nil for none.
func (o *Options) queue() *queue {
	if o.MaxQueue == 0 {
		return nil
	}
	return &queue{
		max:      int64(o.MaxQueue),
		maxWait:  cmp.Or(o.MaxWait, DefaultMaxWait),
		target:   cmp.Or(o.CoDelTarget, DefaultCoDelTarget),
		interval: cmp.Or(o.CoDelInterval, DefaultCoDelInterval),
	}
}
