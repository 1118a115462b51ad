package breaker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// Breaker guards calls to one dependency. It is made with [New] and safe for concurrent use. It owns no goroutine and
// no timer and needs no Close. It takes some 3 KB, for it counts on several cache lines, so that cores do not fight over
// one. For many dependencies there is [Keyed], whose breakers are small.
//
// The state is one word, in the breaker's era:
//
//	bits 63–26  generation: the number of transitions so far
//	bits 25–8   0
//	bit 7       calls are timed: a breaker with SlowCall
//	bit 6       calls that are out are counted: a breaker of a Keyed
//	bit 5       ramping
//	bits 4–2    mode
//	bits 1–0    state
//
// It changes under mu only, with the era. A permit holds the era that it was given in, and its outcome counts only while
// the breaker is in the same generation. A normal, closed breaker has nothing in the lower bits, so its calls look at the word once to
// be let out and once to be counted, in the window of tally; they take no lock unless the window says that the breaker
// is due to open. A refusal reads the word, refuseUntil, the clock and refusal, and a call during a ramp the word,
// until, the clock and credit. Everything else takes mu, which is never held while code of the user runs.
type Breaker struct {
	era         atomic.Pointer[era]
	refuseUntil atomic.Int64              // no lock is needed to refuse before this clock reading
	refusal     atomic.Pointer[OpenError] // of the latest state that refuses; set before refuseUntil
	until       atomic.Int64              // end of an opening or of a ramp; changed under mu
	credit      atomic.Uint32             // of a ramp: 1024ths of a call
	openings    int32                     // in a row, without a closing between them that lasted longer than its ramp; guarded by mu
	set         *settings
	tally       *tally
	flights     *flights // of a breaker with SlowCall, otherwise nil
	notify      func(Transition)

	mu    sync.Mutex // guards all below, and changes of era, refuseUntil, refusal and until
	trial *trial     // nil unless half-open, and until the first probe
	news  *news      // nil when there are none
}

// New returns a closed breaker. All faults of o are reported at once.
func New(o Options) (*Breaker, error) {
	f := options.Check("joist/breaker", "Options")
	o.check(f)
	if err := f.Err(); err != nil {
		return nil, err
	}
	b := newBreaker(o.settings(), o.Mode, o.OnStateChange)
	b.tally.refusals = telemetry.NewCell(refusalWords)
	observe(o.MeterProvider, o.Name, b, b.tally, func(b *Breaker, counts func(State, Mode) bool) int64 {
		if counts(b.peek()) {
			return 1
		}
		return 0
	})
	return b, nil
}

func newBreaker(set *settings, mode Mode, notify func(Transition)) *Breaker {
	b := &Breaker{set: set, tally: &tally{}, notify: notify}
	now := set.clock.Now()
	b.tally.init(set, now)
	if set.slowCall > 0 {
		b.flights = newFlights(time.Duration(set.slowCall), now, !set.keyed)
	}
	b.show(0)
	b.enter(0, mode.forces(Closed), mode, now, ratios{})
	return b
}

// Do calls fn unless the breaker refuses, and returns what it returns. It returns ctx.Err() if ctx has ended before the
// call, which counts as nothing, and a [*OpenError] if the breaker refuses. A panic or runtime.Goexit in fn is a failure
// and goes on its way. Do itself never blocks, but for a listener, and allocates nothing; fn is not kept.
func (b *Breaker) Do(ctx context.Context, fn func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	era, ticket := b.era.Load(), uint64(calling)
	if era.word&plainMask != 0 {
		var err error
		if era, ticket, err = b.admit(ctx, era); err != nil {
			return err
		}
	}
	p := Permit{era: era, ctx: ctx, ticket: ticket}
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
	era, ticket := b.era.Load(), uint64(calling)
	if era.word&plainMask != 0 {
		var err error
		if era, ticket, err = b.admit(ctx, era); err != nil {
			return zero, err
		}
	}
	p := Permit{era: era, ctx: ctx, ticket: ticket}
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
	era, ticket := b.era.Load(), uint64(calling)
	if era.word&plainMask != 0 {
		var err error
		if era, ticket, err = b.admit(ctx, era); err != nil {
			return Permit{}, err
		}
	}
	return Permit{era: era, ctx: ctx, ticket: ticket}, nil
}

// admit decides about a call that is not simply let out. It returns what its permit holds, or refuses.
func (b *Breaker) admit(ctx context.Context, in *era) (_ *era, ticket uint64, err error) {
	switch word := in.word; {
	case stateOf(word) != Closed:
		now := b.set.clock.Now()
		if now < b.refuseUntil.Load() {
			return b.turnAway(ctx, in)
		}
		return b.admitLocked(ctx, now)
	case word&rampFlag != 0:
		return b.admitRamping(ctx, in)
	case word&timedFlag != 0:
		words := b.flights.stripe() // first, for no load runs ahead of a clock reading
		now := b.set.clock.Now()
		mark := b.flights.begin(words, now, tagOf(word))
		if mark == 0 {
			return b.admitLocked(ctx, now)
		}
		return b.goesOut(in, mark)
	default:
		return b.goesOut(in, 0)
	}
}

// admitRamping is admit of a breaker that ramps, for a share of the calls.
func (b *Breaker) admitRamping(ctx context.Context, in *era) (_ *era, ticket uint64, err error) {
	now, mark := b.set.clock.Now(), int64(0)
	switch {
	case now >= b.until.Load() || b.flights != nil && b.flights.due(now):
		return b.admitLocked(ctx, now)
	case !b.inShare(now):
		return b.turnAway(ctx, in)
	case b.flights != nil:
		if mark = b.flights.begin(b.flights.stripe(), now, tagOf(in.word)); mark == 0 {
			return b.admitLocked(ctx, now)
		}
	}
	return b.goesOut(in, mark)
}

// goesOut returns what the permit of a call holds that may go out.
func (b *Breaker) goesOut(in *era, mark int64) (_ *era, ticket uint64, err error) {
	if in.word&keyedFlag != 0 {
		b.tally.out.Add(1)
	}
	return in, ticketOf(mark), nil
}

// turnAway refuses a call, or spares it if the mode does. Either is counted and told.
func (b *Breaker) turnAway(ctx context.Context, in *era) (_ *era, ticket uint64, err error) {
	refusal := b.refusal.Load()
	if mode := modeOf(in.word); mode != Normal && mode.spares(ctx) {
		if trace.SpanFromContext(ctx).IsRecording() { // or the event's attributes are allocated for nobody
			b.event(ctx, "joist.breaker.spared", refusal.State)
		}
		b.tally.turnAway(wordSpared)
		return in, spent, nil
	}
	if trace.SpanFromContext(ctx).IsRecording() {
		b.event(ctx, "joist.breaker.refused", refusal.State)
	}
	b.tally.turnAway(wordRefused) // last: nothing that follows such an addition runs ahead of it
	return nil, 0, refusal
}

// event adds one to the span of ctx, with the state that turns the call away.
//
//go:noinline
func (b *Breaker) event(ctx context.Context, event string, in State) {
	telemetry.Event(ctx, event, b.set.name, stateKey.String(in.String()))
}

// admitLocked makes the transitions that are due, and decides as admit does by the state that it finds then.
func (b *Breaker) admitLocked(ctx context.Context, now int64) (_ *era, ticket uint64, err error) {
	in, mark, allowed := b.lookAgain(ctx, now)
	if !allowed {
		return b.turnAway(ctx, in)
	}
	return b.goesOut(in, mark)
}

// lookAgain makes the transitions that are due and returns the era that then is, whether a call may go out in it, and the
// mark of its permit.
func (b *Breaker) lookAgain(ctx context.Context, now int64) (in *era, mark int64, allowed bool) {
	b.mu.Lock()
	if b.flights != nil {
		now = b.set.clock.Now() // its part of SlowCall must not pass while this call waits for the lock
	}
	b.settle(now)
	in = b.era.Load()
	word := in.word
	switch stateOf(word) {
	case Closed:
		allowed = word&rampFlag == 0 || b.inShare(now)
		if allowed && b.flights != nil {
			mark = b.flights.begin(b.flights.stripe(), now, tagOf(word))
		}
	case HalfOpen:
		mark, allowed = b.takeProbe(now)
	}
	told := false
	defer func() {
		switch { // the listener panicked or exited the goroutine: this call is not going out
		case told || mark == 0:
		case stateOf(word) == HalfOpen:
			b.endProbe(&Permit{era: in, ctx: ctx, ticket: ticketOf(mark)}, ignored)
		default:
			b.flights.end(b.flights.stripe(), mark, tagOf(word))
		}
	}()
	b.leave(ctx)
	told = true
	return in, mark, allowed
}

// State returns the state now, without a call: a breaker whose opening ran out is half-open, and one whose probes hang
// has reclaimed them. What a state means for a call depends on the mode, too: see [Mode]. A breaker that ramps is closed.
func (b *Breaker) State() State {
	if b.word()&(stateMask|timedFlag) == 0 {
		return Closed
	}
	b.mu.Lock()
	b.settle(b.set.clock.Now())
	state := stateOf(b.word())
	b.leave(context.Background())
	return state
}

// peek is State and Mode without telling the listener, which learns from the next call.
func (b *Breaker) peek() (State, Mode) {
	word := b.word()
	if word&(stateMask|timedFlag) == 0 {
		return Closed, modeOf(word)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(b.set.clock.Now())
	b.queue()
	word = b.word()
	return stateOf(word), modeOf(word)
}
