package retry

import (
	"context"
	"errors"
	"iter"
)

// ErrAbandoned is returned by [Run.Err] while no attempt has ended the run: the loop was left, or an iteration ended, before
// Done told a result, or the loop was never entered.
var ErrAbandoned = errors.New("joist/retry: the run was abandoned")

// Run is one call of a policy as a loop, for work that does not fit a function: that spans several statements, leaves from
// the middle, or sets variables of the function around it.
//
//	run := policy.Start(ctx)
//	for ctx := range run.Attempts() {
//		conn, err = dial(ctx)
//		run.Done(err)
//	}
//	if err := run.Err(); err != nil { …
//
// Each iteration is an attempt, and all that [Policy.Do] says holds: it is one engine. Done(nil) makes the iteration the
// last one.
//
// An iteration that ends without Done, or by leaving the loop, abandons the call: nothing follows, and the policy counts
// neither a success nor a failure, since it knows of none (Stats.Abandoned). What has been spent of the budget stays spent.
// A panic or a runtime.Goexit in the loop passes through and leaves nothing behind.
//
// A Run is made by [Policy.Start], serves one loop, and belongs to one goroutine.
type Run struct {
	call  call
	ctx   context.Context
	try   try
	state runState
	err   error // of the last attempt that Done told, then of the run
}

// runState is where a run stands.
type runState uint8

const (
	notEntered runState = iota
	trying              // an attempt is under way, and has told nothing
	told                // an attempt is under way, and Done has told its result
	over
)

// Start begins a call whose attempts are the iterations of a loop over [Run.Attempts]. Nothing happens, and nothing is
// counted, before the loop is entered. It allocates the Run.
func (p *Policy) Start(ctx context.Context) *Run {
	return &Run{call: call{p: p, refused: true}, ctx: ctx, err: ErrAbandoned}
}

// Attempts returns the attempts, each by the context that is its own: the ctx of Start, or with AttemptTimeout and from
// the second attempt on a child of it. With AttemptTimeout that ends with the iteration at the latest. Between iterations
// the loop waits. If the ctx of Start is over there is no iteration. A second loop over a run has none either.
func (r *Run) Attempts() iter.Seq[context.Context] {
	return func(yield func(context.Context) bool) {
		if r.state != notEntered {
			return
		}
		r.state = over
		p := r.call.p
		if err := r.ctx.Err(); err != nil {
			r.err = p.unbegun(err)
			return
		}
		r.call.number = uint32(p.cell.Inc(wordStarted))
		for r.iterate(yield) {
			ended, stopped := r.call.next(r.ctx, r.err)
			if ended {
				r.err = stopped
				return
			}
		}
	}
}

// iterate makes one attempt and reports whether it failed, so that another may follow.
func (r *Run) iterate(yield func(context.Context) bool) (failed bool) {
	r.try = r.call.begin(r.ctx)
	defer r.leave() // also when the body panics or ends its goroutine
	r.state = trying
	r.err = ErrAbandoned
	goesOn := yield(r.try.ctx)
	switch {
	case r.state == told && r.err == nil:
		r.call.succeeded()
		return false
	case r.state == told && goesOn:
		return true
	default:
		r.call.p.cell.Add(wordAbandoned, 1)
		return false
	}
}

// leave ends the iteration.
func (r *Run) leave() {
	r.state = over
	r.try.release()
}

// Done tells the result of the attempt that the loop is in: nil for success, which ends the run. Only the first call in an
// iteration counts, and one outside of the loop does nothing.
func (r *Run) Done(err error) {
	if r.state != trying {
		return
	}
	r.state = told
	r.err = err
	r.call.finish(&r.try, err)
}

// Err returns how the run ended: nil after a success, and otherwise what [Policy.Do] would return. If the loop was left
// after Done(err) it is that err, and if an attempt was left without Done it is ErrAbandoned. It is meant to be asked after
// the loop.
func (r *Run) Err() error { return r.err }
