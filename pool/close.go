package pool

import "context"

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

func (p *Pool) close() {
	p.closed.Store(true)
	close(p.closing)
	p.finish()
}

// finish lets the workers leave if nothing is under way and nothing will come. See Pool for the protocol.
func (p *Pool) finish() {
	if p.underWay() == 0 && p.drained.CompareAndSwap(false, true) {
		close(p.tasks)
		p.leave()
	}
}

// underWay returns how many calls have come and not ended. It may be too high for a moment. Once closed is set, 0 says
// that nothing is under way, nor will be.
func (p *Pool) underWay() int64 {
	var ended int64
	for word := range words {
		ended += p.ended.Total(word)
	}
	return p.came.Total(0) - ended
}

// giveUp takes what is left in the queue, and cancels what runs.
func (p *Pool) giveUp(cause error) error {
	e := &CloseError{Name: p.name, Cause: cause}
	for e.dropNext(p) {
	}
	if p.underWay() == 0 && e.Dropped == 0 {
		<-p.done // all workers are idle and on their way out
		return nil
	}
	e.Running = int(p.running()) // before the cancel, which may end them
	p.cancel(&ClosedError{Name: p.name})
	return e
}

// dropNext drops the next task of p's queue. It returns false if there is none.
func (e *CloseError) dropNext(p *Pool) bool {
	select {
	case t, ok := <-p.tasks:
		if !ok {
			return false
		}
		fn, dropped := t.drop(p)
		if dropped {
			e.Dropped++
		}
		if fn != nil {
			e.NotRun = append(e.NotRun, fn)
		}
		return true
	default:
		return false
	}
}
