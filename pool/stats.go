package pool

import "time"

// Stats is a snapshot of a pool. Its numbers are read one after the other, so under load they may differ by tasks that
// came or ended meanwhile.
//
// Every call of Go and Submit with a function is counted in exactly one of the counters, once it is known what became
// of the task; one that is cancelled in the queue counts when a worker comes to it.
type Stats struct {
	// Workers is how many workers have been started, at most Options.Workers.
	Workers int
	// Running is how many of them run a task.
	Running int
	// Queued is how many tasks wait for a worker.
	Queued int

	// OK counts tasks that returned, without an error if they were given to Submit.
	OK int64
	// Errors counts tasks of Submit that returned an error.
	Errors int64
	// Panics counts tasks that panicked, and Goexits those that ended their goroutine by runtime.Goexit.
	Panics, Goexits int64
	// Cancelled counts tasks whose context ended before there was a place for them, or, for Submit, before they ran.
	Cancelled int64
	// Rejected counts tasks that were refused because the pool was full or closed.
	Rejected int64
	// Dropped counts tasks that Close left unrun.
	Dropped int64

	// Typical is the moving average of the time of a task, of those that are timed: all tasks if they typically take
	// 20 µs or more, else one in 256. It is 0 before the first one ended.
	Typical time.Duration
}

// Stats returns a snapshot. It does not block.
func (p *Pool) Stats() Stats {
	return Stats{
		Workers:   int(p.started()),
		Running:   int(p.running()),
		Queued:    len(p.tasks),
		OK:        p.ended.Total(wordOK),
		Errors:    p.ended.Total(wordError),
		Panics:    p.ended.Total(wordPanic),
		Goexits:   p.ended.Total(wordGoexit),
		Cancelled: p.ended.Total(wordCancelled),
		Rejected:  p.ended.Total(wordRejected),
		Dropped:   p.ended.Total(wordDropped),
		Typical:   p.typical.Get(),
	}
}

// started returns how many workers there are.
func (p *Pool) started() int64 {
	n := int64(p.live.Load())
	if !p.drained.Load() {
		n-- // the pool itself
	}
	return max(n, 0)
}

// running returns how many tasks run: what is under way and neither queued nor waiting for a place. A call on its way in
// or out may count for a moment, as long as there are workers that it might run on.
func (p *Pool) running() int64 {
	n := p.underWay() - int64(len(p.tasks)) - int64(p.waiting.Load())
	return min(max(n, 0), p.started())
}
