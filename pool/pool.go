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
// The queue is a channel: sending to a channel is as cheap as anything that may have to wake a goroutine, callers that
// wait for a place queue up in order, and an idle worker gets its task handed over. What a channel lacks is a close that
// senders survive, so callers announce themselves:
//
//   - A call adds one to the lower half of came, on a stripe of its own, looks at closed, sends, and takes the one
//     away again. Close sets closed, then waits until no call is announced on any stripe, then closes the channel. All
//     these are sequentially consistent, so a call either sees closed and leaves, or Close sees the call and waits. Calls
//     that wait for a place are woken by closing and leave, so Close waits for short things only.
//   - The upper half of came counts calls. Each call ends in exactly one word of cell, so that the calls
//     minus the ends, minus those in the queue, is the number of running tasks, at no cost for the task. The half may
//     overflow: the difference is right modulo 2^40.
//
// A worker is started, before its caller takes its announcement away, when a task is in the queue that nobody took at
// once and the limit allows; so a queue that is not empty always has a worker.
type Pool struct {
	tasks   chan task
	came    *telemetry.Cell // one word; apart from cell, whose words the workers write
	cell    *telemetry.Cell // what became of tasks
	workers int32
	reject  bool
	clock   clock.Clock

	ctx     context.Context // ends when Close gives up; has no values
	cancel  context.CancelCauseFunc
	name    string
	onPanic func(any, []byte)
	waits   *telemetry.Histogram
	runs    *telemetry.Histogram

	closed    atomic.Bool
	shut      atomic.Bool   // the pool is off the count of live
	closing   chan struct{} // closed with closed set: wakes callers that wait for a place
	closeOnce sync.Once
	done      chan struct{} // closed when the last worker has left

	_       [64]byte     // the fields above are hardly ever written, those below are
	live    atomic.Int32 // workers, and one for the pool until it is closed
	typical atomic.Int64 // moving average of the time of a task in ns, 0 when unknown
}

// The layout of the word of came.
const (
	cameBits  = 24
	cameMask  = 1<<cameBits - 1      // calls that are announced
	cameOne   = 1 << cameBits        // one more call
	cameCycle = 1<<(64-cameBits) - 1 // calls are counted modulo one more
)

// task is one place in the queue.
type task struct {
	job job
	ctx context.Context // for the job
	at  int64           // when it came, if its times are taken, else unsampled
}

// job is what a task runs: a function of Go or a Future.
type job interface {
	// run runs the function, counts the outcome, and tells whoever waits.
	run(ctx context.Context, p *Pool)
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
		cell:    telemetry.NewCell(words),
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
// [Pool.Close] cancels the task, with [ErrClosed] as its cause: a task of Go outlives the request that it came from.
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
	if err := ctx.Err(); err != nil {
		return p.cancelled(err)
	}
	return p.add(ctx, task{job: goTask(fn), ctx: detach(p.ctx, ctx)})
}

// sampled is how often the times of a task are taken: of the first task of each stripe and every 64th from there, for
// three readings of the clock cost more than a small task. Tasks that typically take slowTask or longer are all timed.
const (
	sampled   = 64
	slowTask  = int64(20 * time.Microsecond)
	unsampled = -1 << 63
)

// add finds a place for t. See Pool for the protocol.
func (p *Pool) add(ctx context.Context, t task) error {
	came := p.came.Word(0)
	n := came.Add(cameOne + 1)
	if p.closed.Load() {
		err := p.refuse(&ClosedError{Name: p.name})
		came.Add(-1)
		return err
	}
	t.at = unsampled
	if uint64(n)>>cameBits%sampled == 1 || p.typical.Load() >= slowTask {
		t.at = p.clock.Now()
	}
	select {
	case p.tasks <- t:
		if p.live.Load() <= p.workers && len(p.tasks) > 0 {
			p.start(task{})
		}
		came.Add(-1)
		return nil
	default:
		return p.wait(ctx, t, came)
	}
}

// wait is the slow path of add: there is no place now.
func (p *Pool) wait(ctx context.Context, t task, came *atomic.Int64) error {
	defer came.Add(-1)
	if p.start(t) {
		return nil
	}
	if p.reject {
		telemetry.Event(ctx, "joist.pool.full", p.name)
		return p.refuse(p.full(nil))
	}
	select {
	case p.tasks <- t:
		return nil
	case <-p.closing:
		return p.refuse(&ClosedError{Name: p.name})
	case <-ctx.Done():
	}
	err := ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		telemetry.Event(ctx, "joist.pool.full", p.name)
		return p.refuse(p.full(err))
	}
	p.cell.Inc(wordCancelled)
	return err
}

// cancelled counts a call whose context had ended before it came.
func (p *Pool) cancelled(err error) error {
	p.came.Add(0, cameOne)
	p.cell.Inc(wordCancelled)
	return err
}

func (p *Pool) refuse(err error) error {
	p.cell.Inc(wordRejected)
	return err
}

func (p *Pool) full(cause error) *FullError {
	queue := cap(p.tasks)
	rounds := max(float64(queue)/float64(p.workers), 1)
	wait := min(float64(p.typical.Load())*rounds, float64(maxHint))
	return &FullError{Name: p.name, Workers: int(p.workers), Queue: queue, Wait: time.Duration(wait), Cause: cause}
}

// maxHint bounds a hint: nobody knows what a queue does in a day.
const maxHint = 24 * time.Hour

// averageShift makes each timed task weigh an eighth of the average.
const averageShift = 3

// took moves the average time of a task towards d. Two workers that do so at once may lose one of both, which does an
// average no harm.
func (p *Pool) took(d int64) {
	d = max(d, 1)
	if old := p.typical.Load(); old != 0 {
		d = max(old+(d-old)>>averageShift, 1)
	}
	p.typical.Store(d)
}
