package pool

import (
	"fmt"
	"runtime"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/telemetry"
)

// Defaults and bounds of [Options].
const (
	// DefaultQueue is how many tasks may wait for a worker when Options.Queue is 0.
	DefaultQueue = 1024
	// NoQueue, as Options.Queue, has no task wait in a queue: there is a place only where a worker is free.
	NoQueue = -1
	// MaxQueue is the largest Options.Queue.
	MaxQueue = 1 << 24
	// MaxWorkers is the largest Options.Workers.
	MaxWorkers = 1 << 20
	// DefaultIdleTimeout is after what time an idle worker ends when Options.IdleTimeout is 0.
	DefaultIdleTimeout = time.Minute
	// KeepIdle, as Options.IdleTimeout, has workers stay until Close or Resize ends them.
	KeepIdle = -1
)

// WhenFull says what becomes of a task when all workers are busy and the queue is full.
type WhenFull int

const (
	// Block makes the caller wait for a place until its context ends. It is the default.
	Block WhenFull = iota
	// Reject refuses the task at once with a [*FullError].
	Reject
	// CallerRuns makes the caller run the task itself, on its own goroutine, beside the workers: a caller that works
	// brings no more work. A panic of a task of Go that OnPanic does not take goes on to the caller, and
	// runtime.Goexit in the task ends the caller's goroutine.
	CallerRuns

	// lend has the task run in a goroutine of its own, in place of a caller that waits for it. See Future.Wait.
	lend
)

// String returns "block", "reject" or "caller runs".
func (w WhenFull) String() string {
	switch w {
	case Block:
		return "block"
	case Reject:
		return "reject"
	case CallerRuns:
		return "caller runs"
	}
	return fmt.Sprintf("WhenFull(%d)", int(w))
}

// Options are the options of [New]. The zero Options are valid.
type Options struct {
	// Name tells the pool apart in errors and telemetry. It is an attribute of every metric, so it should name a kind
	// of work, never a user or a key. At most 128 bytes; "" is "default".
	Name string

	// Workers is how many tasks may run at once, 1 to [MaxWorkers]. 0 is runtime.GOMAXPROCS(0) at the time of New,
	// which suits work that computes; work that waits wants more. A worker is a goroutine, started when it is needed
	// and ended when it has been idle for IdleTimeout. [Pool.Resize] changes the number.
	Workers int

	// IdleTimeout is how long a worker may be idle before it ends. 0 is [DefaultIdleTimeout]; [KeepIdle] keeps workers.
	// An idle worker costs the memory of its stack.
	IdleTimeout time.Duration

	// Queue is how many tasks may wait for a worker, 1 to [MaxQueue]. 0 is [DefaultQueue]. [NoQueue] is none: there is
	// a place only where a worker waits for a task, which it does a moment after its last one has ended. A place takes
	// less than 100 bytes, allocated when the queue first grows to it and kept.
	Queue int

	// WhenFull says what becomes of a task that finds no place: [Block] (the default), [Reject] or [CallerRuns].
	WhenFull WhenFull

	// Fair keeps a queue for each tenant, of those that [WithTenant] names: workers take from them in turn, so that no
	// tenant waits for the backlog of another. Within a tenant, tasks stay in order. A tenant may have at most as many tasks
	// in the queue as there are free places: alone it gets half of Queue, with k other busy ones a share of
	// 1/(k+2), and for a newcomer there is a place. Beyond that, the pool is full for that tenant. A tenant without tasks
	// takes no memory. Set it when tasks come from many users of whom one may send much more than the others.
	Fair bool

	// OnPanic is told of a panic that nobody else learns of: that of a task of Go, and that of a task of Submit whose
	// Future is garbage and gave its result to nobody; a Wait that left before the panic has not got it. It gets the
	// value and the stack of the panic.
	// nil lets such a panic end the process, as one in a goroutine does.
	//
	// It is called outside every lock, on the goroutine that ran the task (or one of its own, when a Future is
	// collected), by several goroutines at once if several tasks panic, and may use the pool; only Close would wait for
	// the very worker that calls it. A panic in OnPanic ends the process.
	OnPanic func(value any, stack []byte)

	// MeterProvider makes the instruments; nil is the global one.
	MeterProvider metric.MeterProvider

	// TracerProvider is there as in every Options. A pool opens no spans: a refusal is an event on the caller's, and a
	// task's span is the task's business.
	TracerProvider trace.TracerProvider
}

// check reports every fault of o, else fills in the defaults.
func (o *Options) check() error {
	faults := options.Check("joist/pool", "Options")
	faults.Name(o.Name)
	faults.Require(o.Workers >= 0 && o.Workers <= MaxWorkers, "Workers", o.Workers,
		fmt.Sprintf("must be from 1 to %d, or 0 for the number of processors", MaxWorkers))
	faults.Require(o.Queue >= NoQueue && o.Queue <= MaxQueue, "Queue", o.Queue,
		fmt.Sprintf("must be from 1 to %d, 0 for %d, or NoQueue", MaxQueue, DefaultQueue))
	faults.Require(o.WhenFull >= Block && o.WhenFull <= CallerRuns, "WhenFull", o.WhenFull, "must be Block, Reject or CallerRuns")
	faults.Require(o.IdleTimeout >= 0 || o.IdleTimeout == KeepIdle, "IdleTimeout", o.IdleTimeout,
		"must be positive, 0 for 1m0s, or KeepIdle")
	if err := faults.Err(); err != nil {
		return err
	}
	if o.Name == "" {
		o.Name = telemetry.DefaultName
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = DefaultIdleTimeout
	}
	switch o.Queue {
	case 0:
		o.Queue = DefaultQueue
	case NoQueue:
		o.Queue = 0
	}
	return nil
}
