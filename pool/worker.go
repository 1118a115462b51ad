package pool

import (
	"context"
	"runtime/debug"
)

// start starts a worker, with t as its first task unless that is nil, if the limit allows.
func (p *Pool) start(t task) bool {
	for {
		n := p.live.Load()
		if n > p.workers || n == 0 { // at 0 all workers have left for good
			return false
		}
		if p.live.CompareAndSwap(n, n+1) {
			go p.work(t)
			return true
		}
	}
}

// work is a worker: it runs t, unless that is nil, and then what comes, until the queue is closed and empty.
//
// A task costs no defer of its own. One whose function panics or ends its goroutine unwinds the worker, and a new
// worker takes its place. A panic that nobody takes is not recovered: it ends the process with the stack it has.
func (p *Pool) work(t task) {
	defer func() {
		if t == nil {
			p.leave()
			return
		}
		defer func() { go p.work(nil) }() // deferred: OnPanic may end the goroutine too
		if !t.takesPanic(p) {
			p.end(wordGoexit) // or a panic, but then nobody counts any more
			return
		}
		if value := recover(); value != nil {
			t.broke(p, value, debug.Stack())
		} else {
			t.broke(p, nil, nil)
		}
	}()
	if t != nil {
		t.run(p)
		t = nil // an idle worker holds nothing of its last task
	}
	for t = range p.tasks {
		t.run(p)
		t = nil
	}
}

// leave takes a worker, or the pool itself, off the count. The last one ends the context of the tasks of Go, for what
// they may have left behind.
func (p *Pool) leave() {
	if p.live.Add(-1) == 0 {
		p.cancel(&ClosedError{Name: p.name})
		close(p.done)
	}
}

// goTask is a function of Go whose context is the pool's.
type goTask func(context.Context)

func (f goTask) run(p *Pool) {
	f(p.ctx)
	p.end(wordOK)
}

func (f goTask) takesPanic(p *Pool) bool { return p.onPanic != nil }

func (f goTask) broke(p *Pool, value any, stack []byte) {
	if value == nil {
		p.end(wordGoexit)
		return
	}
	p.end(wordPanic)
	p.onPanic(value, stack)
}

func (f goTask) drop(p *Pool) (func(context.Context), bool) {
	p.end(wordDropped)
	return f, true
}

// boundTask is a function of Go together with its context, in one allocation.
type boundTask struct {
	goTask
	ctx detached
}

func (t *boundTask) run(p *Pool) {
	t.goTask(&t.ctx)
	p.end(wordOK)
}
