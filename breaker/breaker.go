package breaker

import (
	"context"
	"math"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// Breaker guards calls to one dependency. It is made with [New] and safe for concurrent use. It owns no goroutine and
// no timer and needs no Close.
//
// The state is one word:
//
//	bits 63–26  generation: the number of transitions so far
//	bits 25–2   0; in a permit's ticket, the serial of a probe
//	bits 1–0    state
//
// It changes under mu only. A permit holds the word that it was given under, and its outcome counts only while the
// breaker's word is the same. A closed breaker's calls read the word, twice, and count in the window of tally; they take
// no lock unless the window says that the breaker is due to open. A refusal reads the word, refuseUntil, the clock and
// refusal. Everything else takes mu, which is never held while code of the user runs.
type Breaker struct {
	word        atomic.Uint64
	refuseUntil atomic.Int64              // no lock is needed to refuse before this clock reading
	refusal     atomic.Pointer[OpenError] // of the latest state that refuses; set before refuseUntil
	set         *settings
	tally       *tally
	notify      func(Transition)
	keyed       bool        // calls that are out are counted
	used        atomic.Bool // in a Keyed: asked for since the last look for one to drop

	mu       sync.Mutex // guards all below, and changes of word, refuseUntil and refusal
	until    int64      // end of an opening
	probes   []probe    // while half-open
	out      int32      // places taken
	ok       int32      // results of this half-open generation
	failed   int32
	openings int32  // in a row, without a closing between them
	serial   uint32 // of the latest probe
	news     *news  // nil when there are none
}

// New returns a closed breaker. All faults of o are reported at once.
func New(o Options) (*Breaker, error) {
	f := options.Check("joist/breaker", "Options")
	o.check(f)
	if err := f.Err(); err != nil {
		return nil, err
	}
	b := newBreaker(o.settings(), o.OnStateChange)
	b.tally.refusals = telemetry.NewCell(1)
	observe(o.MeterProvider, o.Name, b, b.tally, func(b *Breaker, state State) int64 {
		if b.peek() == state {
			return 1
		}
		return 0
	})
	return b, nil
}

func newBreaker(set *settings, notify func(Transition)) *Breaker {
	b := &Breaker{set: set, tally: &tally{}, notify: notify}
	b.tally.init(set.span, set.clock.Now())
	b.refuseUntil.Store(math.MinInt64)
	return b
}

// Do calls fn unless the breaker refuses, and returns what it returns. It returns ctx.Err() if ctx has ended before the
// call, which counts as nothing, and a [*OpenError] if the breaker refuses. A panic or runtime.Goexit in fn is a failure
// and goes on its way. Do itself never blocks, but for a listener, and allocates nothing; fn is not kept.
func (b *Breaker) Do(ctx context.Context, fn func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	word := b.word.Load()
	if stateOf(word) != Closed || b.keyed {
		var err error
		if word, err = b.admit(ctx, word); err != nil {
			return err
		}
	}
	p := Permit{b: b, ctx: ctx, ticket: word | calling}
	defer p.abandon()
	err := fn(ctx)
	p.Done(err)
	return err
}

// DoValue is [Breaker.Do] for a function that returns a value. The value is returned as fn gave it, with an error too;
// it is the zero value if the breaker refuses.
func DoValue[V any](ctx context.Context, b *Breaker, fn func(context.Context) (V, error)) (V, error) {
	var zero V
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	word := b.word.Load()
	if stateOf(word) != Closed || b.keyed {
		var err error
		if word, err = b.admit(ctx, word); err != nil {
			return zero, err
		}
	}
	p := Permit{b: b, ctx: ctx, ticket: word | calling}
	defer p.abandon()
	v, err := fn(ctx)
	p.Done(err)
	return v, err
}

// Allow returns a permit for one call, for work that does not fit into a function. Its Done must be called with the
// result. It returns ctx.Err() if ctx has ended, and a [*OpenError] if the breaker refuses; the permit then does nothing.
// ctx is what a cancelled call is judged by when it is done.
func (b *Breaker) Allow(ctx context.Context) (Permit, error) {
	if err := ctx.Err(); err != nil {
		return Permit{}, err
	}
	word := b.word.Load()
	if stateOf(word) != Closed || b.keyed {
		var err error
		if word, err = b.admit(ctx, word); err != nil {
			return Permit{}, err
		}
	}
	return Permit{b: b, ctx: ctx, ticket: word | calling}, nil
}

// admit decides about a call that is not simply let out. It returns the ticket without a phase, or refuses.
func (b *Breaker) admit(ctx context.Context, word uint64) (ticket uint64, err error) {
	allowed := stateOf(word) == Closed
	if !allowed {
		now := b.set.clock.Now()
		if now >= b.refuseUntil.Load() {
			word, allowed = b.admitLocked(ctx, now)
		}
	}
	if allowed {
		if b.keyed {
			b.tally.out.Add(1)
		}
		return word, nil
	}
	if b.tally.refusals != nil {
		b.tally.refusals.Add(0, 1)
	} else {
		b.tally.refused.Add(1)
	}
	refusal := b.refusal.Load()
	if trace.SpanFromContext(ctx).IsRecording() {
		telemetry.Event(ctx, "joist.breaker.refused", b.set.name, stateKey.String(refusal.State.String()))
	}
	return 0, refusal
}

// admitLocked makes the transitions that are due, and decides by the state that it finds then.
func (b *Breaker) admitLocked(ctx context.Context, now int64) (ticket uint64, allowed bool) {
	b.mu.Lock()
	b.settle(now)
	word := b.word.Load()
	switch stateOf(word) {
	case Closed:
		ticket, allowed = word, true
	case HalfOpen:
		var serial uint64
		serial, allowed = b.takeProbe(now) // 0 if there is no place
		ticket = word&^stateMask | serial<<stateBits
	}
	told := false
	defer func() {
		p := Permit{b: b, ctx: ctx, ticket: ticket | calling}
		if !told && p.serial() != 0 { // the listener panicked or exited the goroutine: this probe is not going out
			b.endProbe(&p, ignored)
		}
	}()
	b.leave(ctx)
	told = true
	return ticket, allowed
}

// State returns the state now, without a call: a breaker whose opening ran out is half-open, and one whose probes hang
// has reclaimed them.
func (b *Breaker) State() State {
	if state := stateOf(b.word.Load()); state == Closed {
		return Closed
	}
	b.mu.Lock()
	b.settle(b.set.clock.Now())
	state := stateOf(b.word.Load())
	b.leave(context.Background())
	return state
}

// peek is State without telling the listener, which learns from the next call.
func (b *Breaker) peek() State {
	if stateOf(b.word.Load()) == Closed {
		return Closed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(b.set.clock.Now())
	b.queue()
	return stateOf(b.word.Load())
}
