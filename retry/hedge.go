package retry

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/joist-go/joist/internal/refusal"
)

// Hedge calls fetch and, if no answer has come after a while, calls it once more beside the attempt under way, and takes
// the answer that comes first. That cuts off the slowest answers of a dependency with many equal servers for a few per cent
// more load (Dean and Barroso, The Tail at Scale, 2013). Fetch must be safe to repeat, and to run several times at once.
//
//   - The wait is Options.HedgeDelay, or measured: see Options.HedgePercentile. There are at most Options.MaxHedges such
//     hedges, each a wait after the one before.
//   - A hedge is paid by the policy's Budget, at the moment that it goes out. If the budget refuses, the call makes no more
//     hedges and waits for what is under way. No hedge goes out where a typical attempt would not be over by the deadline or
//     MaxElapsed, nor with FirstTriesOnly in a call that is itself part of a retry.
//   - An attempt that fails brings the next hedge at once, or, if its error has a RetryAfter, when that is over. There are no
//     retries beside that: all hedges are the attempts that the call has, and Backoff and MaxAttempts are not used. To retry
//     a call whose hedges have all failed would multiply two kinds of attempts.
//   - An error that no retry can help ends the call, whatever else is under way. One that asks for a longer wait than MaxHint
//     ends the hedges, and the call waits for what is under way.
//
// The first success is returned. If there is none, the result is the zero V and an error by the rules of [Policy.Do]: an
// [*Error] whose Last is the failure that came last, or ctx.Err() if none had, and a fetch's own error as it is when the first
// attempt alone was made and its error is one that no retry can help. Its Reason is ReasonExhausted when all attempts failed,
// and what kept further hedges from going out when there were fewer. When ctx ends, Hedge returns at once, and does not wait
// for attempts.
//
// Each attempt has a goroutine of its own, that ends when fetch returns, and a ctx that ends when Hedge returns: those that
// have not answered by then are cancelled, and what they return is dropped. So an answer must not hold anything that has to
// be closed or that lives by its ctx. Hedges are marked in their ctx as retries are: [Attempt] tells 2 and more. A breaker
// or bulkhead within fetch counts an attempt that was cancelled as nothing.
//
// A panic in an attempt ends the call, which panics with a [*PanicError]. In an attempt that nobody waits for any more it
// is counted in Stats.Unheard and told to Options.Logger, and the process goes on. An attempt that ends its goroutine by
// runtime.Goexit has failed with [ErrGoexit], which no retry can help.
func Hedge[V any](ctx context.Context, p *Policy, fetch func(context.Context) (V, error)) (V, error) {
	if over := ctx.Err(); over != nil {
		var none V
		return none, p.unbegun(over)
	}
	p.cell.Add(wordStarted, 1)
	r := newRace(ctx, p, fetch)
	defer r.leave()
	return r.run()
}

// race is one call of Hedge. All but the attempts run on the goroutine of the caller, which alone uses what is not said to
// be shared.
//
// Who is told of an attempt: an attempt that ends looks under mu whether the caller has left. If not, it puts its answer
// into answers, which has room for all. If so, its answer is dropped. The caller leaves under mu, and then looks at what is
// in answers: nothing comes after it, so an answer is taken by exactly one of the two.
type race[V any] struct {
	call
	parent context.Context
	ctx    context.Context // of all attempts
	cancel context.CancelCauseFunc
	fetch  func(context.Context) (V, error)

	out    int  // attempts under way
	first  bool // the first attempt is one of them
	last   error
	closed Reason      // why no further hedge goes out, 0: it may
	hold   int64       // clock reading: the next hedge goes out no earlier, for a failure had a hint
	timer  *time.Timer // of the next hedge

	answers chan answer[V] // shared
	mu      sync.Mutex
	left    bool // under mu: the caller
}

// answer is how an attempt ended.
type answer[V any] struct {
	attempt int
	price   int64
	v       V
	err     error
	panic   *PanicError
	took    time.Duration
}

func newRace[V any](ctx context.Context, p *Policy, fetch func(context.Context) (V, error)) *race[V] {
	r := &race[V]{parent: ctx, fetch: fetch, first: true}
	r.call = call{p: p, hedged: true, refused: true, maxAttempts: p.limit(ctx, p.hedging.attempts)}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	r.answers = make(chan answer[V], r.maxAttempts)
	r.timer = time.NewTimer(time.Hour)
	r.timer.Stop() // until an attempt sets it
	return r
}

// run makes the call.
func (r *race[V]) run() (V, error) {
	defer r.timer.Stop()
	r.launch(0)
	for {
		a, answered := r.await()
		var v V
		var err error
		var over bool
		if answered {
			v, over, err = r.take(a)
		} else {
			over, err = r.hedge()
		}
		if over {
			return v, err
		}
	}
}

// await waits for an answer. It is false if the time of the next hedge has come or the caller has left. An answer that is
// there comes before both: it is not lost because the caller leaves, and a process that was held up hedges no call that
// has been answered meanwhile.
func (r *race[V]) await() (a answer[V], answered bool) {
	select {
	case a = <-r.answers:
		return a, true
	case <-r.timer.C:
	case <-r.parent.Done():
	}
	select {
	case a = <-r.answers:
		return a, true
	default:
		return a, false
	}
}

// launch makes an attempt, for which the budget was paid, and sets the time of the next.
func (r *race[V]) launch(price int64) {
	t := r.begin(r.ctx)
	if r.attempts == r.maxAttempts {
		r.closed = ReasonExhausted
	}
	if delay := r.p.hedging.delay(); delay > 0 && r.closed == 0 {
		r.timer.Reset(delay)
	}
	r.out++
	go r.attempt(&t, answer[V]{attempt: r.attempts, price: price, err: ErrGoexit})
}

// attempt is the goroutine of an attempt.
func (r *race[V]) attempt(t *try, a answer[V]) {
	defer func() {
		if value := recover(); value != nil {
			a.panic = newPanicError(value)
			a.err = a.panic
		}
		a.took = time.Duration(r.p.clock.Now() - t.begun)
		if context.Cause(r.ctx) != errDecided { //nolint:errorlint // the very one
			r.finish(t, a.err)
		}
		t.release()
		r.answer(a)
	}()
	a.v, a.err = r.fetch(t.ctx)
}

// answer gives the caller an answer, if he still waits.
func (r *race[V]) answer(a answer[V]) {
	r.mu.Lock()
	left := r.left
	if !left {
		r.answers <- a
	}
	r.mu.Unlock()
	if left {
		r.drop(a)
	}
}

// leave ends the attempts that are under way, and drops answers that came too late.
func (r *race[V]) leave() {
	r.cancel(errDecided)
	r.mu.Lock()
	r.left = true
	r.mu.Unlock()
	for len(r.answers) > 0 {
		r.drop(<-r.answers)
	}
}

// drop takes an answer that nobody waits for.
func (r *race[V]) drop(a answer[V]) {
	if a.panic == nil {
		return
	}
	r.p.cell.Add(wordUnheard, 1)
	r.p.hedging.log.Warn(r.parent, "an attempt panicked when its call had ended", a.panic)
}

// take takes an answer, and tells whether it ends the call.
func (r *race[V]) take(a answer[V]) (v V, over bool, err error) {
	r.out--
	if a.panic != nil {
		panic(a.panic)
	}
	if a.attempt == 1 {
		r.first = false
		if a.err == nil || timedOut(a.err) { // another failure says nothing about how long an answer takes
			r.measure(a.took)
		}
	}
	if a.err == nil {
		r.overtaken()
		r.p.succeeded(a.attempt, a.price)
		return a.v, true, nil
	}
	over, err = r.failed(a.err)
	return v, over, err
}

// measure tells the policy how long the first attempt took.
func (r *race[V]) measure(took time.Duration) {
	if l := r.p.hedging.measured; l != nil {
		l.add(took)
	}
}

// overtaken measures a first attempt that is under way when the call ends, because a hedge or the deadline was first, by the
// time that it has had: it is longer than the delay, and so on the right side of the percentile that is the delay. Without
// those the estimate would sink with every hedge that wins.
func (r *race[V]) overtaken() {
	if r.first {
		r.measure(time.Duration(r.p.clock.Now() - r.begun))
	}
}

// failed takes a failure: it ends the call, brings the next hedge, or only is one attempt less to wait for.
func (r *race[V]) failed(err error) (over bool, stopped error) {
	p := r.p
	if ended := r.parent.Err(); ended != nil && r.last != nil && errors.Is(err, ended) {
		return true, r.stop(reasonOf(ended)) // what an attempt says of the end of ctx must not hide why another failed
	}
	if r.last != nil {
		r.remember(r.last)
	}
	r.last = err
	r.refused = r.refused && refusal.Refused(err)
	if reason := p.hopeless(r.parent, err); reason != 0 {
		return true, r.stop(reason)
	}
	if hint, hinted := refusal.RetryAfter(err); hinted && r.closed == 0 {
		if r.fits(hint) && p.maxHint >= 0 && hint > p.maxHint {
			r.closed = ReasonPermanent
		}
		r.hold = max(r.hold, p.clock.Now()+int64(min(hint, farOff)))
	}
	return r.hedge()
}

// farOff is as good as never, and cannot overflow a reading of the clock.
const farOff = time.Duration(1 << 62)

// fits tells whether an attempt that begins after wait will typically be over in time. If not, there are no more hedges.
func (r *race[V]) fits(wait time.Duration) bool {
	if left, limited := r.timeLeft(r.parent); limited && wait >= left-r.p.attemptTime() {
		r.closed = ReasonDeadline
	}
	return r.closed == 0
}

// hedge makes another attempt, if one may go out, or sees to it that it is tried again when a hint is over. Who has left
// gets none, and his call is over.
func (r *race[V]) hedge() (over bool, stopped error) {
	if ended := r.parent.Err(); ended != nil {
		return true, r.stop(reasonOf(ended))
	}
	wait := max(time.Duration(r.hold-r.p.clock.Now()), 0)
	if r.closed != 0 || !r.fits(wait) {
		return r.idle()
	}
	if wait > 0 {
		r.timer.Reset(wait)
		return false, nil
	}
	price, paid := r.p.budget.draw(r.last)
	if !paid {
		r.closed = ReasonBudget
		return r.idle()
	}
	if r.p.onRetry != nil {
		r.p.onRetry(r.parent, Event{Policy: r.p.name, Attempt: r.attempts + 1, Err: r.last})
	}
	r.launch(price)
	return false, nil
}

// idle ends the call when nothing is under way and nothing will be.
func (r *race[V]) idle() (over bool, stopped error) {
	if r.out > 0 || r.closed == 0 {
		return false, nil
	}
	return true, r.stop(r.closed)
}

// stop ends a call without success.
func (r *race[V]) stop(reason Reason) error {
	if reason == ReasonDeadline {
		r.overtaken()
	}
	if r.out > 0 {
		r.refused = false // an attempt under way was not refused
	}
	if r.last == nil {
		r.last = r.parent.Err()
	}
	return r.end(r.parent, reason, r.last)
}
