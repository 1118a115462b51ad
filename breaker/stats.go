package breaker

import (
	"context"
	"time"
)

// Stats is what a breaker tells about itself, as of one moment. Its fields are read one after the other: under load they
// may differ by the calls that ended meanwhile.
type Stats struct {
	// State is as [Breaker.State] says.
	State State
	// Successes, Failures, Ignored and Refused count the calls by outcome since construction.
	Successes, Failures, Ignored, Refused int64
	// Late counts the calls whose outcome came after the state they were let out in, and counted nowhere.
	Late int64
	// WindowCalls and WindowFailures are what a closed breaker has in its window, or a half-open one of its probes. They
	// are 0 while it is open.
	WindowCalls, WindowFailures int64
	// FailureRatio is their ratio, 0 without calls.
	FailureRatio float64
	// Probing is the number of probes that are out.
	Probing int
	// RetryAfter is how much longer an open breaker stays so, otherwise 0.
	RetryAfter time.Duration
	// Opened counts how often the breaker opened since construction.
	Opened int64
}

// Stats returns a snapshot, for dashboards and tests. It takes the breaker's lock for a moment.
func (b *Breaker) Stats() Stats {
	now := b.set.clock.Now()
	b.mu.Lock()
	b.settle(now)
	word := b.word.Load()
	s := Stats{State: stateOf(word)}
	switch s.State {
	case Closed:
		b.tally.at(now)
		ok, failed := b.tally.sum(tagOf(word))
		s.WindowCalls, s.WindowFailures = ok+failed, failed
	case Open:
		s.RetryAfter = time.Duration(b.until - now)
	case HalfOpen:
		s.WindowCalls, s.WindowFailures = int64(b.ok+b.failed), int64(b.failed)
		s.Probing = int(b.out)
	}
	b.leave(context.Background())
	if s.WindowCalls > 0 {
		s.FailureRatio = float64(s.WindowFailures) / float64(s.WindowCalls)
	}
	t := b.tally
	s.Successes, s.Failures = t.Total(wordSuccess), t.Total(wordFailure)
	s.Ignored, s.Refused = t.Total(wordIgnored), t.Total(wordRefused)
	s.Late = t.late.Load()
	for i, m := range legalMoves {
		if m.to == Open {
			s.Opened += int64(t.moves[i].Load())
		}
	}
	return s
}
