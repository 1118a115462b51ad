package pool

import (
	"context"
	"errors"
	"sync"
)

// group is the tasks of one Map: they end together.
//
// golang.org/x/sync/errgroup is the like for goroutines: it starts one for each function, and its Wait waits for those
// alone. A group's tasks are to run on workers that are there already, leave the queue when the group is cancelled, and be
// run by others when its caller is a worker itself, none of which an errgroup can be told.
type group struct {
	pool    *Pool
	ctx     context.Context // of the tasks
	cancel  context.CancelFunc
	patient context.Context // to wait with: tells whether the caller is a task itself, and does not end
	policy  WhenFull

	futures []*Future[struct{}] // not waited for yet, oldest first
	good    int                 // tasks waited for before the first that failed
	failed  bool                // one waited for has
	panic   *PanicError         // the first one that was seen

	mu    sync.Mutex
	first error
}

func newGroup(ctx context.Context, p *Pool) *group {
	g := &group{pool: p, patient: context.WithoutCancel(ctx), policy: p.policy}
	g.ctx, g.cancel = context.WithCancel(ctx)
	if p.lends(ctx) {
		g.policy = lend
	}
	return g
}

// submit gives fn to the pool. It returns false if nothing more is to be submitted.
func (g *group) submit(fn func(context.Context) error) bool {
	for g.ready() {
		g.wait() // and let go of the Future
	}
	if err := g.ctx.Err(); err != nil {
		g.fail(err)
		return false
	}
	f := newFuture(g.ctx, g.pool, func(ctx context.Context) (_ struct{}, err error) {
		returned := false
		defer func() {
			if err != nil {
				g.fail(err)
			}
			if err != nil || !returned {
				g.cancel()
			}
		}()
		err = fn(ctx)
		returned = true
		return struct{}{}, err
	})
	if err := g.pool.add(g.ctx, f, &f.place, g.policy); err != nil {
		g.fail(err)
		return false
	}
	if g.policy == Reject {
		g.policy = Block // it is in, and what it waits for may be its own
	}
	g.futures = append(g.futures, f)
	return true
}

// ready tells whether the oldest task has ended.
func (g *group) ready() bool {
	return len(g.futures) > 0 && g.futures[0].state.Load() == settled
}

// wait waits for the oldest task.
func (g *group) wait() {
	f := g.futures[0]
	g.futures[0] = nil
	g.futures = g.futures[1:]
	_, err := f.Wait(g.patient)
	if err == nil {
		if !g.failed {
			g.good++
		}
		return
	}
	g.failed = true
	g.fail(err)
	g.cancel()
	if f.unseen != nil && g.panic == nil { // the task panicked: a PanicError that it returned would be an error
		g.panic, _ = errors.AsType[*PanicError](err)
	}
}

// fail keeps the first error, but for that of a context which the end of the group, or of its caller, may have caused.
func (g *group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first == nil || errors.Is(g.first, context.Canceled) && !errors.Is(err, context.Canceled) {
		g.first = err
	}
}

// end cancels what has not ended, and waits for it. A panic that was not raised, because the goroutine unwinds for another
// reason, is one that nobody learns of.
func (g *group) end() {
	g.cancel()
	for len(g.futures) > 0 {
		g.wait()
	}
	if g.panic != nil {
		unseenPanic(lostPanic{g.panic, g.pool.onPanic})
	}
}

// result waits for all tasks. It panics if one has, else it returns the first error.
func (g *group) result() error {
	for len(g.futures) > 0 {
		g.wait()
	}
	g.raise()
	return g.first
}

// raise panics if a task has.
func (g *group) raise() {
	if raised := g.panic; raised != nil {
		g.panic = nil
		panic(raised)
	}
}
