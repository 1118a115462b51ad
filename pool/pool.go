package pool

import (
	"context"
	"sync"
	"time"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/telemetry"
)

// Pool runs tasks on a bounded number of workers. It is made with [New] and ended with [Pool.Close]; the zero Pool is
// not usable. All methods are safe for concurrent use.
//
// One lock guards the queue and the count of what the workers do. It is held for a few steps, never while anything of a
// user runs or a goroutine is woken; so it costs little, and all that a queue needs beyond first in, first out (turns of
// tenants, tasks that leave, workers that come and go) is plain code. What costs is to wake a goroutine, and that is
// what the pool avoids:
//
//   - A worker is running a task, searching for one, or idle, which is: asleep. One that finds nothing searches a little
//     longer before it sleeps.
//   - A task that comes wakes or starts a worker only if none is searching. A searching worker that finds a task wakes or
//     starts the next if there are more. One that finds none looks again under the lock before it sleeps.
//
// So while tasks wait, either a worker is searching, or all that the limit allows are running.
type Pool struct {
	name    string
	policy  WhenFull
	clock   clock.Clock
	idleFor time.Duration // 0: workers stay

	ctx     context.Context // ends when Close gives up, or has drained the pool; knows the pool, has no other values
	cancel  context.CancelCauseFunc
	onPanic func(any, []byte)
	ended   *telemetry.Cell // what became of calls
	waited  *telemetry.Histogram
	ran     *telemetry.Histogram
	done    chan struct{} // closed when nothing is left of a closed pool
	typical clock.Average // the time of a task

	_  [64]byte // the fields above are hardly ever written, those below are
	mu sync.Mutex
	queue
	crew
	asked    int64 // calls that got a place or wait for one, to sample some
	here     int   // tasks that run on the goroutines of their callers
	closed   bool
	finished bool // nothing is left
}

// task is what a place holds.
type task interface {
	// run runs the function, counts the outcome, and tells whoever waits. It returns false if the task had been cancelled,
	// so that the function has not run.
	run(p *Pool) bool
	// takesPanic tells whether somebody learns of a panic of the function.
	takesPanic(p *Pool) bool
	// broke is called instead when the function panicked with a value, or, with a nil one, ended its goroutine.
	broke(p *Pool, value any, stack []byte)
	// seat is where the task keeps its place, so that it may leave the queue; nil if it never does.
	seat() *seat
	// drop says that the function will not be run, and counts that. It returns false if somebody had cancelled the
	// task before, and the function if nobody else learns of it.
	drop(p *Pool) (func(context.Context), bool)
}

// New returns a Pool, or an error that tells every fault of o. It starts no goroutine: workers start as tasks come.
func New(o Options) (*Pool, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &Pool{
		name:    o.Name,
		policy:  o.WhenFull,
		clock:   clock.New(),
		idleFor: o.IdleTimeout,
		onPanic: o.OnPanic,
		ended:   telemetry.NewCell(words),
		done:    make(chan struct{}),
	}
	p.queue.init(o.Queue, o.Fair)
	p.limit = o.Workers
	p.ctx, p.cancel = context.WithCancelCause(context.WithValue(context.Background(), insideKey{p}, true))
	p.observe(o)
	return p, nil
}

// Go has a worker run fn, and returns once there is a place for it, which may be long before fn runs.
//
// ctx bounds the wait for a place, nothing else. The context that fn gets has the values of ctx and ends when
// [Pool.Close] cancels the task or has drained the pool, with [ErrClosed] as its cause: a task of Go outlives the request
// that it came from.
//
// Go returns ctx.Err() when ctx has ended already or is cancelled during the wait, a [*FullError] when there is no
// place (with [Block]: until ctx's deadline; never with [CallerRuns]), a [*ClosedError] after Close, and [ErrNilTask]
// for a nil fn. fn is not run then. After a nil error fn is run, or handed back by Close.
//
// With Block, a task that calls Go on its own pool may wait for ever for a place that only it could free: use TryGo,
// another policy, or a ctx with a deadline, there. A panic in fn is told to Options.OnPanic, or ends the process. Go
// allocates nothing when ctx is context.Background(), else the context of fn.
func (p *Pool) Go(ctx context.Context, fn func(context.Context)) error {
	return p.start(ctx, fn, p.policy)
}

// TryGo is [Pool.Go] that never waits and never runs fn itself: when there is no place now, it returns a [*FullError],
// whatever Options.WhenFull says.
func (p *Pool) TryGo(ctx context.Context, fn func(context.Context)) error {
	return p.start(ctx, fn, Reject)
}

func (p *Pool) start(ctx context.Context, fn func(context.Context), policy WhenFull) error {
	if fn == nil {
		return ErrNilTask
	}
	if err := ctx.Err(); err != nil {
		p.count(wordCancelled)
		return err
	}
	var t task = goTask(fn) // has no values and no end, and so needs no allocation
	if ctx != context.Background() && ctx != context.TODO() {
		t = &boundTask{goTask(fn), detached{p, ctx}}
	}
	return p.add(ctx, t, nil, policy)
}

// add finds a place for t, which is told to its seat, if it has one.
func (p *Pool) add(ctx context.Context, t task, s *seat, policy WhenFull) error {
	tenant := ""
	if p.fair {
		tenant = tenantOf(ctx)
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return p.refuseClosed()
	}
	l := p.laneOf(tenant)
	if !p.admits(l) {
		p.recall() // places are free where hands are empty
		if !p.admits(l) {
			return p.noRoom(ctx, t, s, policy, l) // unlocks
		}
	}
	p.enqueue(l, p.sample(ctx, t), s)
	w := p.rouse()
	p.mu.Unlock()
	p.wake(w)
	return nil
}

// admits tells whether a task that comes now has a place in l: no caller of its lane may wait for one.
func (p *Pool) admits(l *lane) bool {
	return l.calls.first == nil && p.room(l, p.places())
}

// places returns how many places are free: those in the queue, and one for each worker that could run a task now. It is
// too low by what workers have taken out of their hands lately.
func (p *Pool) places() int {
	return p.cap - p.n - p.dealt + max(p.limit-p.busy, 0)
}

// sample has some tasks timed. It is called with the lock.
func (p *Pool) sample(ctx context.Context, t task) task {
	if p.asked++; p.asked%sampled == 1 || p.typical.Get() >= slowTask {
		return p.timed(ctx, t)
	}
	return t
}

// count counts what became of a call.
func (p *Pool) count(word int) { p.ended.Inc(word) }

func (p *Pool) refuseClosed() error {
	p.count(wordRejected)
	return &ClosedError{Name: p.name}
}
