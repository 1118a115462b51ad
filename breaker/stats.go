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
	// Successes, Failures, Slow, Ignored and Refused count the calls by outcome since construction. A call that lasted
	// SlowCall or longer is in Slow, and not in Failures, if it failed, too: each call is counted once.
	Successes, Failures, Slow, Ignored, Refused int64
	// Spared counts the calls that went through although the state refuses, in modes [Observe] and [RetriesOnly]. Their
	// outcomes are not counted.
	Spared int64
	// Late counts the calls whose outcome came after the state they were let out in, and counted nowhere. A probe that
	// was reclaimed is late when it ends after all, and has been counted as a failure before. A call that was counted
	// while it hung is not late, unless the breaker has been closed and opened once more since.
	Late int64
	// WindowCalls, WindowFailures and WindowSlow are what a closed breaker has in its window, or a half-open one of its probes. They
	// are 0 while it is open.
	WindowCalls, WindowFailures, WindowSlow int64
	// FailureRatio and SlowRatio are their ratios to the calls, 0 without any.
	FailureRatio, SlowRatio float64
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
	word := b.word()
	s := Stats{State: stateOf(word), Mode: modeOf(word)}
	var c census
	switch s.State {
	case Closed:
		c = b.tally.census(now, tagOf(word))
		s.Share = 1
		if word&rampFlag != 0 {
			s.Share = float64(b.share(now)) / wholeShare
		}
	case Open:
		if s.Mode != ForcedOpen {
			s.RetryAfter = time.Duration(b.until.Load() - now)
		}
	case HalfOpen:
		if b.trial != nil {
			c = b.trial.census()
			s.Probing = len(b.trial.out)
		}
	}
	b.leave(context.Background())
	s.WindowCalls, s.WindowFailures, s.WindowSlow = c.calls, c.failed, c.slow
	s.FailureRatio, s.SlowRatio = c.ratios().failure, c.ratios().slow
	t := b.tally
	s.Successes, s.Failures, s.Slow = t.Total(wordSuccess), t.Total(wordFailure), t.Total(wordSlow)
	s.Ignored, s.Refused = t.Total(wordIgnored), t.Total(wordRefused)
	s.Spared, s.Late = t.Total(wordSpared), t.late.Load()
	for i, m := range legalMoves {
		if m.to == Open {
			s.Opened += int64(t.moves[i].Load())
		}
	}
	return s
}
