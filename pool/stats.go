package pool

import "time"

// Stats is a snapshot of a pool: of one moment for what is there now, and counters that are read one after the other, so
// that under load they may differ by tasks that ended meanwhile.
//
// Every call with a function is counted in exactly one of the counters, once it is known what became of the task. Each
// item of [Map], [MapSeq] and [ForEach] that came to be a task is a call.
type Stats struct {
	// Limit is how many workers there may be: Options.Workers, or what the last Resize said.
	Limit int
	// Workers is how many workers there are. After a Resize it is more than Limit until enough tasks have ended.
	Workers int
	// Running is how many of them run a task.
	Running int
	// Callers is how many tasks run on the goroutines of their callers, or of those who wait for them.
	Callers int
	// Queued is how many tasks wait for a worker.
	Queued int
	// Waiting is how many calls wait for a place in the queue.
	Waiting int
	// Tenants is how many tenants of a fair pool have tasks in the queue or calls that wait for a place.
	Tenants int

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

// Stats returns a snapshot. It takes the pool's lock for a moment.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	s := Stats{
		Limit: p.limit, Workers: len(p.members), Running: p.busy, Callers: p.here, Queued: p.waiting(), Waiting: p.waits, Tenants: len(p.lanes),
	}
	p.mu.Unlock()
	s.OK = p.ended.Total(wordOK)
	s.Errors = p.ended.Total(wordError)
	s.Panics = p.ended.Total(wordPanic)
	s.Goexits = p.ended.Total(wordGoexit)
	s.Cancelled = p.ended.Total(wordCancelled)
	s.Rejected = p.ended.Total(wordRejected)
	s.Dropped = p.ended.Total(wordDropped)
	s.Typical = p.typical.Get()
	return s
}

// waiting returns how many tasks wait for a worker, those in hands included. It is called with the lock.
func (p *Pool) waiting() int {
	n := p.n
	for _, w := range p.members {
		n += w.left()
	}
	return n
}
