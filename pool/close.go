package pool

import (
	"context"
	"runtime"
)

// Close takes no more tasks, and returns nil once those it has taken have ended and all workers have left. Callers that
// wait for a place get a [*ClosedError] at once.
//
// When ctx ends first, Close stops waiting and returns a [*CloseError]: the tasks in the queue are not run (those of Go
// are in CloseError.NotRun, the Futures of those of Submit fail with [ErrClosed]), the contexts of the running tasks are
// cancelled with ErrClosed as their cause, and the workers leave as these tasks return. A ctx that has ended already
// drains nothing.
//
// Close may be called again, and by several goroutines: each call waits in this way, and each task that was not run is
// handed out by one of them. A task must not call Close with a ctx that does not end, because it would wait for itself.
func (p *Pool) Close(ctx context.Context) error {
	p.closeOnce.Do(p.close)
	select {
	case <-p.done:
		return nil
	default:
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return p.giveUp(ctx.Err())
	}
}

// close lets the workers come to an end. See Pool for the protocol.
func (p *Pool) close() {
	p.closed.Store(true)
	close(p.closing)
	for p.came.Total(0)&cameMask != 0 {
		runtime.Gosched()
	}
	close(p.tasks)
	p.shut.Store(true)
	p.leave()
}

// giveUp takes what is left in the queue, and cancels what runs.
func (p *Pool) giveUp(cause error) error {
	e := &CloseError{Name: p.name, Cause: cause}
	for t := range p.tasks { // closed, so this ends when it is empty
		fn, dropped := t.job.drop(p)
		if dropped {
			e.Dropped++
		}
		if fn != nil {
			e.NotRun = append(e.NotRun, fn)
		}
	}
	e.Running = int(p.running())
	if e.Running == 0 && e.Dropped == 0 {
		<-p.done // all workers are idle and on their way out
		return nil
	}
	p.cancel(&ClosedError{Name: p.name})
	return e
}
