package pool

import (
	"context"
	"runtime/debug"
)

// goTask is a function of Go whose context is the pool's.
type goTask func(context.Context)

func (f goTask) run(p *Pool) bool {
	f(p.ctx)
	p.count(wordOK)
	return true
}

func (f goTask) takesPanic(p *Pool) bool { return p.onPanic != nil }

func (f goTask) broke(p *Pool, value any, stack []byte) {
	if value == nil {
		p.count(wordGoexit)
		return
	}
	p.count(wordPanic)
	p.onPanic(value, stack)
}

func (f goTask) seat() *seat { return nil }

func (f goTask) drop(p *Pool) (func(context.Context), bool) {
	p.count(wordDropped)
	return f, true
}

// boundTask is a function of Go together with its context, in one allocation.
type boundTask struct {
	goTask
	ctx detached
}

func (t *boundTask) run(p *Pool) bool {
	t.goTask(&t.ctx)
	p.count(wordOK)
	return true
}

// runHere runs a task on the goroutine of its caller, or on one in place of a worker that waits for it. The task has been
// counted in here. A panic that nobody takes goes on to the caller; a Goexit ends its goroutine, whatever is counted.
func (p *Pool) runHere(t task) {
	returned := false
	defer func() {
		p.mu.Lock()
		p.here--
		p.finish()
		p.mu.Unlock()
	}()
	defer func() {
		if returned {
			return
		}
		value := recover()
		switch {
		case value == nil:
			t.broke(p, nil, nil)
		case t.takesPanic(p):
			t.broke(p, value, debug.Stack())
		default:
			p.count(wordPanic)
			panic(value)
		}
	}()
	t.run(p)
	returned = true
}

// runBeside runs a task in a goroutine of its own, and waits for it. It has been counted in here, and takes its panic.
func (p *Pool) runBeside(t task) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.runHere(t)
	}()
	<-done
}

// withdraw takes the task of a seat out of the queue and returns it, or nil if it is there no more. With run, the caller
// runs it, and it is counted in here.
func (p *Pool) withdraw(s *seat, run bool) task {
	p.mu.Lock()
	t := p.queue.leave(s)
	if t == nil {
		p.recall() // it may be in a hand
		t = p.queue.leave(s)
	}
	if t != nil && run {
		p.here++
	}
	var admitted callers
	p.admitAll(&admitted)
	w := p.rouse() // for what was in hands
	p.finish()
	p.mu.Unlock()
	admitted.tell(true)
	p.wake(w)
	return t
}
