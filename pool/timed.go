package pool

import (
	"context"
	"sync"
	"time"
)

// The times of a task are taken of the first of 256 tasks, for three
// readings of the clock cost more than a small task. If tasks typically take slowTask or longer, all are timed.
const (
	sampled  = 256
	slowTask = 20 * time.Microsecond
)

// timedTask is a task whose times are taken.
type timedTask struct {
	task
	ctx  context.Context // of the caller, for the exemplars of the histograms
	came int64
}

// timedTasks spares the allocation of a task that is timed.
var timedTasks = sync.Pool{New: func() any { return new(timedTask) }}

func (p *Pool) timed(ctx context.Context, t task) *timedTask {
	timed, _ := timedTasks.Get().(*timedTask)
	timed.task, timed.ctx, timed.came = t, ctx, p.clock.Now()
	return timed
}

func (t *timedTask) run(p *Pool) bool {
	began := p.clock.Now()
	p.waited.Record(t.ctx, 0, time.Duration(began-t.came))
	ran := t.task.run(p)
	if ran { // else what it took tells nothing of tasks
		took := time.Duration(p.clock.Now() - began)
		p.ran.Record(t.ctx, 0, took)
		p.typical.Add(took)
	}
	*t = timedTask{}
	timedTasks.Put(t)
	return ran
}
