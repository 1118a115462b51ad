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
	p.close()
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

// close turns away what waits for a place and has the idle workers leave, once.
func (p *Pool) close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	if p.shrinking != nil {
		p.shrinking.Stop()
	}
	var refused callers
	for p.waits > 0 {
		c := p.late.turn.calls.first
		p.hangUp(c)
		refused.add(c)
	}
	idle := p.dismiss(len(p.idle)) // rouse starts others if tasks wait
	p.finish()
	p.mu.Unlock()
	refused.tell(false)
	for _, w := range idle {
		w.roused <- false
	}
}

// finish ends a closed pool of which nothing is left: the context of the tasks of Go too, for what they may have left
// behind. It is called with the lock whenever something may have been the last.
func (p *Pool) finish() {
	if !p.closed || len(p.members) > 0 || p.here > 0 || p.n > 0 || p.finished {
		return
	}
	p.finished = true
	p.cancel(&ClosedError{Name: p.name})
	close(p.done)
}

// giveUp takes what is left in the queue, and cancels what runs.
func (p *Pool) giveUp(cause error) error {
	e := &CloseError{Name: p.name, Cause: cause}
	var left []task
	p.mu.Lock()
	p.recall()
	for p.n > 0 {
		left = append(left, p.take())
	}
	e.Running = p.busy + p.here
	p.finish()
	p.mu.Unlock()
	for _, t := range left {
		fn, dropped := t.drop(p)
		if dropped {
			e.Dropped++
		}
		if fn != nil {
			e.NotRun = append(e.NotRun, fn)
		}
	}
	if e.Running == 0 && e.Dropped == 0 {
		<-p.done // all workers are on their way out
		return nil
	}
	p.cancel(&ClosedError{Name: p.name})
	return e
}
