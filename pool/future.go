package pool

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Future is the result to come of a task of [Submit]. All methods are safe for concurrent use, and any number of
// goroutines may wait. A Future that nobody waits for costs nothing more.
type Future[V any] struct {
	fn    func(context.Context) (V, error)
	ctx   joined
	place seat // in the queue; guarded by the pool's lock

	// state goes from queued to claimed to settled. Whoever takes it from queued to claimed settles the future: a worker
	// that runs the task, a waiter or a worker that sees it cancelled, or a Close that drops it.
	state atomic.Uint32
	value V     // written by the claimer before state is settled
	err   error // likewise

	mu      sync.Mutex
	settled chan struct{} // made by the first waiter that has to wait, closed when settled
	unseen  *runtime.Cleanup
}

// The states of a Future.
const (
	queued uint32 = iota
	claimed
	settled
)

// Submit has a worker run fn, and returns a [Future] of its result once there is a place for it.
//
// ctx bounds the wait for a place, and is the task's too: fn gets a context with its values, its deadline and its end,
// which also ends when [Pool.Close] cancels the task (with [ErrClosed] as its cause) and when fn has returned. A task
// whose ctx ends while it waits for a worker is not run. Those who wait for it learn at once, and its place in the queue
// is free at once then; if nobody waits, when a worker comes to it.
//
// Submit returns the errors that [Pool.Go] returns, and a nil Future with them. With [CallerRuns] and a full pool it
// returns when fn has. It allocates the Future, and the first Wait that has to wait one channel; a context is made only if
// fn asks for its Done.
func Submit[V any](ctx context.Context, p *Pool, fn func(context.Context) (V, error)) (*Future[V], error) {
	if fn == nil {
		return nil, ErrNilTask
	}
	if err := ctx.Err(); err != nil {
		p.count(wordCancelled)
		return nil, err
	}
	f := newFuture(ctx, p, fn)
	if err := p.add(ctx, f, &f.place, p.policy); err != nil {
		return nil, err
	}
	return f, nil
}

func newFuture[V any](ctx context.Context, p *Pool, fn func(context.Context) (V, error)) *Future[V] {
	return &Future[V]{fn: fn, ctx: joined{caller: ctx, pool: p}}
}

// Wait returns the result of the task: what its function returned, with its value and its error as they are.
//
// It returns a [*PanicError] when the function panicked, [ErrGoexit] when it ended its goroutine, a [*ClosedError] when
// [Pool.Close] left it unrun, and the error of Submit's context when that ended before the task ran. It blocks until
// then, or until ctx ends: then it returns ctx.Err(), and the task goes on. A result that is there is returned whatever
// ctx says. Wait may be called again.
//
// A task that waits for another of its own pool does not keep its worker from it: if ctx is, or comes from, the context of
// a task of this pool, and the task waited for is still in the queue, Wait takes it out and has it run in a goroutine of
// its own, in place of the worker that waits. With [CallerRuns], every Wait does so. So such tasks may be nested however
// deep, on a pool of one worker too.
func (f *Future[V]) Wait(ctx context.Context) (V, error) {
	done := f.wait()
	if done == nil {
		return f.result()
	}
	if p := f.ctx.pool; f.state.Load() == queued && p.lends(ctx) {
		if t := p.withdraw(&f.place, true); t != nil {
			go p.runHere(t)
		}
	}
	select {
	case <-done:
		return f.result()
	case <-ctx.Done():
	case <-f.ctx.caller.Done():
		if f.claim() {
			f.cancel()
			return f.result()
		}
		select { // it runs, and its function decides what its context means
		case <-done:
			return f.result()
		case <-ctx.Done():
		}
	}
	if f.state.Load() == settled {
		return f.result()
	}
	var zero V
	return zero, ctx.Err()
}

// cancel settles a future whose context has ended. Its caller has claimed it, so that the task will not run.
func (f *Future[V]) cancel() {
	p := f.ctx.pool
	if p.withdraw(&f.place, false) != nil {
		p.count(wordCancelled) // else by who took it out
	}
	var zero V
	f.settle(zero, f.ctx.caller.Err())
}

// wait returns a channel that is closed when the future is settled, or nil if it is.
func (f *Future[V]) wait() <-chan struct{} {
	if f.state.Load() == settled {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Load() == settled {
		return nil
	}
	if f.settled == nil {
		f.settled = make(chan struct{})
	}
	return f.settled
}

// result is called once the future is settled.
func (f *Future[V]) result() (V, error) {
	if f.unseen != nil {
		f.unseen.Stop()
	}
	return f.value, f.err
}

func (f *Future[V]) claim() bool { return f.state.CompareAndSwap(queued, claimed) }

// settle gives the result. Its caller has claimed the future.
func (f *Future[V]) settle(v V, err error) {
	f.value, f.err = v, err
	f.fn = nil // what it captured may be garbage now
	f.ctx.end()
	f.mu.Lock()
	f.state.Store(settled)
	done := f.settled
	f.mu.Unlock()
	if done != nil {
		close(done)
	}
}

func (f *Future[V]) run(p *Pool) bool {
	var zero V
	if !f.claim() {
		p.count(wordCancelled) // and settled by whoever did it
		return false
	}
	if err := f.ctx.caller.Err(); err != nil {
		p.count(wordCancelled)
		f.settle(zero, err)
		return false
	}
	v, err := f.fn(&f.ctx)
	if err != nil {
		p.count(wordError)
	} else {
		p.count(wordOK)
	}
	f.settle(v, err)
	return true
}

func (f *Future[V]) seat() *seat { return &f.place }

func (f *Future[V]) takesPanic(*Pool) bool { return true }

func (f *Future[V]) broke(p *Pool, value any, stack []byte) {
	var zero V
	if value == nil {
		p.count(wordGoexit)
		f.settle(zero, ErrGoexit)
		return
	}
	p.count(wordPanic)
	err := newPanicError(value, stack)
	unseen := runtime.AddCleanup(f, unseenPanic, lostPanic{err, p.onPanic})
	f.unseen = &unseen
	f.settle(zero, err)
}

func (f *Future[V]) drop(p *Pool) (func(context.Context), bool) {
	if !f.claim() {
		p.count(wordCancelled)
		return nil, false
	}
	p.count(wordDropped)
	var zero V
	f.settle(zero, &ClosedError{Name: p.name})
	return nil, true
}

// lostPanic is the panic of a task whose Future became garbage before anybody asked for its result.
type lostPanic struct {
	err     *PanicError
	onPanic func(any, []byte)
}

// unseenPanic treats a lost panic like one of a task of Go. It has a goroutine of its own because the one that runs
// cleanups is shared by the whole process.
func unseenPanic(l lostPanic) {
	if l.onPanic != nil {
		go l.onPanic(l.err.Value, l.err.Stack)
		return
	}
	go panic(fmt.Sprintf("%v\nNobody waited for the task.", l.err))
}
