package pool

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/telemetry"
)

// Pool runs tasks on a bounded number of workers. It is made with [New] and ended with [Pool.Close]; the zero Pool is
// not usable. All methods are safe for concurrent use.
//
// The queue is a channel: sending to a channel is as cheap as most that may have to wake a goroutine, callers that wait
// for a place queue up in order, and an idle worker gets its task handed over. What a channel lacks is a close that
// senders survive, so a pool closes it only when nobody can send any more:
//
//   - A call first counts itself in came, then looks at closed, then sends. What becomes of it, a refusal included, is
//     counted exactly once, in ended. So came − ended is the number of calls that are under way: on their way into the
//     queue, in the queue, or running.
//   - Close sets closed. Whoever counts an end looks at closed afterwards and, if it is set, sums up, ends first. If
//     came − ended is 0 then, nothing was under way between the two sums, all calls to come see closed, and the channel
//     is closed. All these are sequentially consistent, so the last end and Close cannot both miss that they are last.
//
// Counting was to be done anyway, so that a safe close costs a load of closed for each call and each end.
//
// A worker is started when a task is in the queue that nobody took at once and the limit allows; so a queue that is not
// empty always has a worker, or a call that is about to start one.
type Pool struct {
	tasks   chan task
	came    *telemetry.Cell // one word: calls that came; apart from the cell that the workers write
	ended   *telemetry.Cell // what became of them
	workers int32
	reject  bool
	clock   clock.Clock

	ctx     context.Context // ends when Close gives up, or has drained the pool; has no values
	cancel  context.CancelCauseFunc
	name    string
	onPanic func(any, []byte)
	waits   *telemetry.Histogram
	runs    *telemetry.Histogram

	closed    atomic.Bool
	closing   chan struct{} // closed with closed set: wakes callers that wait for a place
	closeOnce sync.Once
	drained   atomic.Bool   // the channel is closed, and the pool is off the count of live
	done      chan struct{} // closed when the last worker has left

	_       [64]byte      // the fields above are hardly ever written, those below are
	live    atomic.Int32  // workers, and one for the pool until the channel is closed
	waiting atomic.Int32  // callers that wait for a place
	typical clock.Average // the time of a task
}

// task is a place in the queue: two words, because a channel copies its elements under its lock. What a task needs
// beyond its function is behind it.
type task interface {
	// run runs the function, counts the outcome, and tells whoever waits.
	run(p *Pool)
	// takesPanic tells whether somebody learns of a panic of the function.
	takesPanic(p *Pool) bool
	// broke is called instead when the function panicked with a value, or, with a nil one, ended its goroutine.
	broke(p *Pool, value any, stack []byte)
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
		tasks:   make(chan task, o.Queue),
		came:    telemetry.NewCell(1),
		ended:   telemetry.NewCell(words),
		workers: int32(o.Workers),
		reject:  o.WhenFull == Reject,
		clock:   clock.New(),
		name:    o.Name,
		onPanic: o.OnPanic,
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	p.live.Store(1)
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
// place (with [Block]: until ctx's deadline), a [*ClosedError] after Close, and [ErrNilTask] for a nil fn. fn is not run
// then. After a nil error fn is run, or handed back by Close.
//
// With Block, a task that calls Go on its own pool may wait for ever for a place that only it could free: use Reject,
// or a ctx with a deadline, there. A panic in fn is told to Options.OnPanic, or ends the process. Go allocates nothing
// when ctx is context.Background(), else the context of fn.
func (p *Pool) Go(ctx context.Context, fn func(context.Context)) error {
	if fn == nil {
		return ErrNilTask
	}
	if ctx == context.Background() || ctx == context.TODO() {
		return p.add(ctx, goTask(fn)) // has no values and no end, and so needs no allocation
	}
	if err := ctx.Err(); err != nil {
		return p.cancelled(err)
	}
	return p.add(ctx, &boundTask{fn, detached{p, ctx}})
}

// add finds a place for t. See Pool for the protocol.
func (p *Pool) add(ctx context.Context, t task) error {
	n := p.came.Inc(0)
	if p.closed.Load() {
		return p.refuse(&ClosedError{Name: p.name})
	}
	if n%sampled == 1 || p.typical.Get() >= slowTask {
		t = p.timed(ctx, t)
	}
	select {
	case p.tasks <- t:
		if p.live.Load() <= p.workers && len(p.tasks) > 0 {
			p.start(nil)
		}
		return nil
	default:
		return p.wait(ctx, t)
	}
}

// wait is the slow path of add: there is no place now.
func (p *Pool) wait(ctx context.Context, t task) error {
	if p.start(t) {
		return nil
	}
	if p.reject {
		telemetry.Event(ctx, "joist.pool.full", p.name)
		return p.refuse(p.full(nil))
	}
	p.waiting.Add(1)
	select {
	case p.tasks <- t:
		p.waiting.Add(-1)
		return nil
	case <-p.closing:
		p.waiting.Add(-1) // before its end is counted: see running
		return p.refuse(&ClosedError{Name: p.name})
	case <-ctx.Done():
		p.waiting.Add(-1)
	}
	err := ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		telemetry.Event(ctx, "joist.pool.full", p.name)
		return p.refuse(p.full(err))
	}
	p.end(wordCancelled)
	return err
}

// end counts what became of a call. See Pool for the protocol.
func (p *Pool) end(word int) {
	p.ended.Inc(word)
	if p.closed.Load() {
		p.finish()
	}
}

// cancelled counts a call whose context had ended before it came.
func (p *Pool) cancelled(err error) error {
	p.came.Inc(0)
	p.end(wordCancelled)
	return err
}

func (p *Pool) refuse(err error) error {
	p.end(wordRejected)
	return err
}

func (p *Pool) full(cause error) *FullError {
	queue := cap(p.tasks)
	rounds := max(float64(queue)/float64(p.workers), 1)
	wait := min(float64(p.typical.Get())*rounds, float64(maxHint))
	return &FullError{Name: p.name, Workers: int(p.workers), Queue: queue, Wait: time.Duration(wait), Cause: cause}
}

// maxHint bounds a hint: nobody knows what a queue does in a day.
const maxHint = 24 * time.Hour
