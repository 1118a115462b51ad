package balance

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/outcome"
	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/internal/telemetry"
)

const (
	// slowCall is the typical time from which on all calls are timed: two readings of the clock cost more than all the
	// rest of a pick, but nothing beside a slow call.
	slowCall = 20 * time.Microsecond
	// sampleMask has one pick in 64 timed.
	sampleMask = 63
)

// Balancer picks endpoints. It is made with [New]; the zero Balancer is not usable. All methods are safe for concurrent
// use. It owns no goroutine and no timer and needs no Close.
//
// What a pick looks at is a snapshot of the endpoints that serve. Whatever changes them (an endpoint that becomes bad or
// is bad no more, a slow start that is over, SetEndpoints) takes the mutex, changes the endpoints, and stores another
// snapshot. A snapshot knows when the next such change is due by the clock, and the first pick after that makes it; with
// nothing due, no pick looks at the clock for that.
//
// An endpoint's phase has a generation, which is another one after each change. A pick remembers the phase, and what its
// call tells counts only if that has not changed: the failures of calls that were out when an endpoint was ejected do not
// eject it again when it is back, and only a call that was sent to a bad endpoint, which happens if it could not be
// ejected, can tell that it works again.
type Balancer[E comparable] struct {
	book
	clock   clock.Clock
	rules   rules
	members atomic.Pointer[members[E]]
	_       [64]byte // what follows is written by calls, and what is above only read
	typical clock.Average
	every   atomic.Uint64 // a pick is timed if its random number has none of these bits: 0 or sampleMask
	_       [64]byte

	maxEjected, panicAt              float64
	ejectFor, maxEjectFor, slowStart int64

	mu     sync.Mutex
	bySelf map[E]*endpoint[E]
	serial uint64 // of the latest endpoint that became bad
	number uint32 // of the latest endpoint that joined
}

// book is what balancers and rendezvous have in common: how they judge and count.
type book struct {
	name      string
	isFailure func(error) bool
	cell      *telemetry.Cell
}

// Do picks an endpoint, calls fn with it, and returns fn's error. It returns ctx.Err() if ctx has ended before, and a
// [*NoneError] if there is no endpoint to pick; fn is not called then. A panic or runtime.Goexit in fn ends the pick,
// counts as a failure of the endpoint, and goes on its way.
//
// If fn is refused by a block inside (a breaker of this endpoint, say), and there are other endpoints, the error that Do
// returns has no RetryAfter: when this endpoint may be asked again says nothing about the others. For the rest it is
// fn's error.
//
// Each Do picks anew. For attempts of one call that should not go to the same endpoint twice see [Balancer.Call]. Do
// does not block and, but for such an error, allocates nothing; fn is not kept.
func (b *Balancer[E]) Do(ctx context.Context, fn func(context.Context, E) error) error {
	var p Pick[E]
	if err := b.pick(ctx, nil, &p); err != nil {
		return err
	}
	defer p.abandon()
	err := fn(ctx, p.Endpoint)
	p.Done(err)
	return b.elsewhere(err, 1)
}

// DoValue is [Balancer.Do] for a function that also returns a value. When fn is not called, the value is zero.
func DoValue[V any, E comparable](ctx context.Context, b *Balancer[E], fn func(context.Context, E) (V, error)) (V, error) {
	var p Pick[E]
	if err := b.pick(ctx, nil, &p); err != nil {
		var zero V
		return zero, err
	}
	defer p.abandon()
	v, err := fn(ctx, p.Endpoint)
	p.Done(err)
	return v, b.elsewhere(err, 1)
}

// Pick returns an endpoint for a call that does not fit into a function, none of exclude unless there is no other. Its
// Done must be called with the result. It returns ctx.Err() if ctx has ended, and a [*NoneError] if there is no endpoint
// to pick; the Pick then does nothing. ctx is what a cancelled call is judged by when it is done. Pick does not block and
// allocates nothing; exclude is not kept.
func (b *Balancer[E]) Pick(ctx context.Context, exclude ...E) (p Pick[E], err error) {
	if len(exclude) == 0 {
		err = b.pick(ctx, nil, &p)
	} else {
		err = b.pick(ctx, &exclusion[E]{values: exclude}, &p)
	}
	return // p is not to be copied
}

// pick fills the zero p.
func (b *Balancer[E]) pick(ctx context.Context, x *exclusion[E], p *Pick[E]) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m, random, now := b.members.Load(), rand.Uint64(), int64(untimed)
	if m.due != never || random&b.every.Load() == 0 {
		now = b.clock.Now()
		if now >= m.due {
			m = b.settle(now)
		}
	}
	e := b.choose(m, random, now, x)
	if e == nil {
		return b.refuse(ctx, m)
	}
	e.enter()
	p.Endpoint, p.ctx, p.e, p.b, p.began, p.phase = e.value, ctx, e, b, now, e.phase.Load()
	return nil
}

// finish learns from a call that has ended.
func (b *Balancer[E]) finish(ctx context.Context, e *endpoint[E], phase uint64, began int64, o outcome.Outcome) {
	if began != untimed {
		now := b.clock.Now()
		e.learn(&b.rules, now-began, now, o == outcome.Success)
		if o == outcome.Success {
			b.time(time.Duration(now - began))
		}
	}
	current := e.phase.Load()
	switch {
	case current != phase || o == outcome.Ignored: // of an earlier phase, or nothing to tell
		e.leave()
	case current&badBit != 0: // it could not be ejected
		e.leave()
		if o == outcome.Success {
			b.restore(e, phase)
		}
	case o == outcome.Success:
		e.succeed()
	case e.fail(&b.rules):
		b.condemn(ctx, e, phase)
	}
}

// time takes the time of a call that succeeded, and decides whether all calls are timed.
func (b *Balancer[E]) time(took time.Duration) {
	b.typical.Add(min(took, longest))
	every := uint64(0)
	if b.typical.Get() < slowCall {
		every = sampleMask
	}
	if b.every.Load() != every {
		b.every.Store(every)
	}
}

// elsewhere takes the hint from a refusal of a block inside, if there are more endpoints than were tried.
func (b *Balancer[E]) elsewhere(err error, tried int) error {
	if err == nil || len(b.members.Load().serving) <= tried || !refusal.Refused(err) {
		return err
	}
	return &elsewhereError{err}
}

func (b *Balancer[E]) refuse(ctx context.Context, m *members[E]) error {
	b.cell.Add(wordRefused, 1)
	telemetry.Event(ctx, "joist.balance.none", b.name)
	e := &NoneError{Name: b.name, Endpoints: len(m.all)}
	if m.due != never {
		e.clock, e.until = b.clock, m.due
	}
	return e
}

// Ignore marks err so that a balancer counts the call as neither a success nor a failure of its endpoint. It returns nil
// for nil. The mark holds through wrapping, and errors.Is and errors.As see err through it. It is the mark of package
// breaker's Ignore, too.
func Ignore(err error) error { return outcome.Ignore(err) }
