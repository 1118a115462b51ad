package pool

import (
	"context"
	"runtime/debug"
	"time"
)

// start starts a worker, with t as its first task unless that is empty, if the limit allows.
func (p *Pool) start(t task) bool {
	for {
		n := p.live.Load()
		if n > p.workers {
			return false
		}
		if p.live.CompareAndSwap(n, n+1) {
			go p.work(t)
			return true
		}
	}
}

// work is a worker: it runs t, unless that is empty, and then what comes, until the queue is closed and empty.
//
// A task costs no defer of its own. One whose function panics or ends its goroutine unwinds the worker, and a new
// worker takes its place. A panic that nobody takes is not recovered: it ends the process with the stack it has.
func (p *Pool) work(t task) {
	defer func() {
		if t.job == nil {
			p.leave()
			return
		}
		defer func() { go p.work(task{}) }() // deferred: OnPanic may end the goroutine too
		if !t.job.takesPanic(p) {
			p.cell.Inc(wordGoexit) // or a panic, but then nobody counts any more
			return
		}
		if value := recover(); value != nil {
			t.job.broke(p, value, debug.Stack())
		} else {
			t.job.broke(p, nil, nil)
		}
	}()
	if t.job != nil {
		p.run(t)
		t = task{} // an idle worker holds nothing of its last task
	}
	for t = range p.tasks {
		p.run(t)
		t = task{}
	}
}

// leave takes a worker, or the pool itself, off the count.
func (p *Pool) leave() {
	if p.live.Add(-1) == 0 {
		close(p.done)
	}
}

func (p *Pool) run(t task) {
	if t.at == unsampled {
		t.job.run(t.ctx, p)
		return
	}
	began := p.clock.Now()
	p.waits.Record(t.ctx, 0, time.Duration(began-t.at))
	t.job.run(t.ctx, p)
	took := p.clock.Now() - began
	p.runs.Record(t.ctx, 0, time.Duration(took))
	p.took(took)
}

// goTask is a function of Go.
type goTask func(context.Context)

func (f goTask) run(ctx context.Context, p *Pool) {
	f(ctx)
	p.cell.Inc(wordOK)
}

func (f goTask) takesPanic(p *Pool) bool { return p.onPanic != nil }

func (f goTask) broke(p *Pool, value any, stack []byte) {
	if value == nil {
		p.cell.Inc(wordGoexit)
		return
	}
	p.cell.Inc(wordPanic)
	p.onPanic(value, stack)
}

func (f goTask) drop(p *Pool) (func(context.Context), bool) {
	p.cell.Inc(wordDropped)
	return f, true
}
