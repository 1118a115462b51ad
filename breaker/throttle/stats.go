package throttle

// Stats is what a throttle tells about itself, as of one moment. Its fields are read one after the other: under load they
// may differ by the calls that ended meanwhile.
type Stats struct {
	// Requests and Accepts are what is in the window: the calls that were accepted, rejected or throttled, and the first
	// of them alone. A tenth of the window with more than about a million calls of one kind counts less than it had, with
	// the same ratio.
	Requests, Accepts int64
	// Probability is the reject probability that follows from them, from 0 to MaxReject.
	Probability float64
	// Accepted, Rejected, Ignored and Throttled count the calls since construction by what became of them: accepted by
	// the dependency, rejected by it, judged as neither, and refused here.
	Accepted, Rejected, Ignored, Throttled int64
}

// Stats returns a snapshot, for dashboards and tests. It does not block.
func (t *Throttle) Stats() Stats {
	t.tally.at(t.clock.Now())
	c := t.tally.sum()
	return Stats{
		Requests:    int64(c.accepted + c.rejected + c.throttled),
		Accepts:     int64(c.accepted),
		Probability: t.probability(c),
		Accepted:    t.tally.Total(wordAccepted),
		Rejected:    t.tally.Total(wordRejected),
		Ignored:     t.tally.Total(wordIgnored),
		Throttled:   t.tally.Total(wordThrottled),
	}
}
