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
	// Mode is the mode in force.
	Mode Mode
	// Share is the part of the calls that a closed breaker lets through while it ramps, from 0.1 to 1; otherwise 1 when it
	// is closed, and 0.
	Share float64
	// Successes, Failures, Ignored and Refused count the calls by outcome since construction.
	Successes, Failures, Ignored, Refused int64
	// Spared counts the calls that went through although the state refuses, in modes [Observe] and [RetriesOnly]. Their
	// outcomes are not counted.
	Spared int64
	// Late counts the calls whose outcome came after the state they were let out in, and counted nowhere.
	Late int64
	// WindowCalls and WindowFailures are what a closed breaker has in its window, or a half-open one of its probes. They
	// are 0 while it is open.
	WindowCalls, WindowFailures int64
	// FailureRatio is their ratio, 0 without calls.
	FailureRatio float64
	// Probing is the number of probes that are out.
	Probing int
	// RetryAfter is how much longer an open breaker stays so; otherwise, and when it is forced open, 0.
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
	s := Stats{State: stateOf(word), Mode: modeOf(word)}
	switch s.State {
	case Closed:
		b.tally.at(now)
		ok, failed := b.tally.sum(tagOf(word))
		s.WindowCalls, s.WindowFailures = ok+failed, failed
		s.Share = 1
		if word&rampFlag != 0 {
			s.Share = float64(b.share(now)) / wholeShare
		}
	case Open:
		if s.Mode != ForcedOpen {
			s.RetryAfter = time.Duration(b.until.Load() - now)
		}
	case HalfOpen:
		s.WindowCalls, s.WindowFailures = int64(b.trial.ok+b.trial.failed), int64(b.trial.failed)
		s.Probing = int(b.trial.out)
	}
	b.leave(context.Background())
	if s.WindowCalls > 0 {
		s.FailureRatio = float64(s.WindowFailures) / float64(s.WindowCalls)
	}
	t := b.tally
	s.Successes, s.Failures = t.Total(wordSuccess), t.Total(wordFailure)
	s.Ignored, s.Refused = t.Total(wordIgnored), t.Total(wordRefused)
	s.Spared, s.Late = t.Total(wordSpared), t.late.Load()
	for i, m := range legalMoves {
		if m.to == Open {
			s.Opened += int64(t.moves[i].Load())
		}
	}
	return s
}
