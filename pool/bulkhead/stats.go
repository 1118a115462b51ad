package bulkhead

import "time"

// Stats is a snapshot of a bulkhead. Its numbers are read one after the other, so under load they may differ by calls
// that came or went meanwhile.
type Stats struct {
	// Limit is how many calls may be in flight.
	Limit int
	// InFlight is how many calls are. It is above Limit only after the limit has been lowered.
	InFlight int
	// Queued is how many calls wait.
	Queued int
	// Accepted, Rejected, TimedOut, Shed and Cancelled count what became of the calls to Do since New: let in; refused
	// because all slots and all places in the queue were taken; refused because the wait was too long for MaxWait or the
	// context's deadline; shed from an overloaded or full queue; and not made because the caller had left.
	Accepted, Rejected, TimedOut, Shed, Cancelled int64
	// Typical is the moving average of the time of a call: of all calls if they typically take 20 µs or more, else of
	// one in 64. It is 0 before the first one ended.
	Typical time.Duration
}

// Stats returns a snapshot. It does not block.
func (b *Bulkhead) Stats() Stats {
	s := b.slots
	return Stats{
		Limit:     int(s.limit.Load()),
		InFlight:  int(s.inflight()),
		Queued:    int(s.queued()),
		Accepted:  s.accepted(),
		Rejected:  s.Total(wordRejected),
		TimedOut:  s.Total(wordTimeout),
		Shed:      s.Total(wordShed),
		Cancelled: s.Total(wordCancelled),
		Typical:   s.typical.Get(),
	}
}
