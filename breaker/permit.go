package breaker

import "context"

// Permit is leave to make one call, from [Breaker.Allow]. Report how the call went with Done, once; a defer is a good
// place. A Permit that is never reported is a probe that hangs: it counts as a failure after ProbeTimeout if the breaker
// is half-open, and as nothing otherwise.
//
// It is a value and allocates nothing. Do not copy it: go vet notices. Its methods are not safe for concurrent use with
// each other. Those of the zero Permit do nothing.
type Permit struct {
	_      noCopy
	era    *era
	ctx    context.Context
	ticket uint64
}

// A ticket is the permit's phase, in its two low bits, and above them a mark, which is 0 for most: the serial of a probe, or
// when the call of a closed breaker with SlowCall began; after Done, what Amend amends. So a Permit is four words. One
// more and Go would keep it in memory wherever it is handed on, which costs as much as all else that is done for a call
// but reading the clock.
const (
	phaseBits = 2
	phaseMask = 1<<phaseBits - 1

	unused    = 0 // the phases: of the zero Permit,
	calling   = 1 // until Done,
	succeeded = 2 // as Done said; Amend may say otherwise;
	spent     = 3
)

// ticketOf returns the ticket of a call that is out.
func ticketOf(mark int64) uint64 { return uint64(mark)<<phaseBits | calling }

func (p *Permit) phase() uint64         { return p.ticket & phaseMask }
func (p *Permit) setPhase(phase uint64) { p.ticket = p.ticket&^phaseMask | phase }
func (p *Permit) mark() int64           { return int64(p.ticket) >> phaseBits }

// probes reports whether the permit is a probe's.
func (p *Permit) probes() bool { return stateOf(p.era.word) == HalfOpen }

// counted is the outcome that Amend is to amend; setCounted notes it where the mark is not needed any more.
func (p *Permit) counted() outcome     { return outcome(p.mark()) }
func (p *Permit) setCounted(o outcome) { p.ticket = uint64(o&slow)<<phaseBits | p.phase() }

// noCopy makes go vet notice copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Done reports what the call returned: nil is a success; what other errors are is explained at [Options].IsFailure and
// in the package comment. A second Done does nothing. Done does not block, but for a state change's listener, and
// allocates nothing unless the state changes.
func (p *Permit) Done(err error) {
	if p.phase() != calling {
		return
	}
	if err != nil {
		p.finish(p.era.b.set.classify(p.ctx, err))
		return
	}
	if p.era.word&(stateMask|keyedFlag) != uint64(Closed) {
		p.finish(success)
		return
	}
	p.setPhase(succeeded)
	if p.mark() == 0 {
		p.count(success)
	} else {
		p.countTimed(success)
	}
}

// Amend tells that a call which Done reported as a success has failed after all, as when the body of a response breaks
// off long after its header. If err is a failure, judged as Done does it, the success becomes a failure: the number of
// calls stays. It does so once, and only while the breaker is in the state in which the call began.
func (p *Permit) Amend(err error) {
	if p.phase() != succeeded || err == nil || p.era.b.set.classify(p.ctx, err) != failure {
		return
	}
	p.setPhase(spent)
	b := p.era.b
	if p.probes() {
		b.amendProbe(p)
		return
	}
	now := b.set.clock.Now()
	if f := b.flights; f != nil && f.due(now) { // what hung before comes first
		b.mu.Lock()
		b.settle(now)
		b.leave(p.ctx)
	}
	if !p.era.lasts() {
		return
	}
	if _, suspect := b.tally.amend(now, tagOf(p.era.word), p.counted()); suspect {
		b.judge(p, now)
	}
}

// abandon reports a failure unless something was reported: the call panicked, or its goroutine exits.
func (p *Permit) abandon() {
	if p.phase() == calling {
		p.finish(failure)
	}
}

func (p *Permit) finish(o outcome) {
	b := p.era.b
	if o == success {
		p.setPhase(succeeded)
	} else {
		p.setPhase(spent)
	}
	if p.era.word&keyedFlag != 0 {
		b.tally.out.Add(-1)
	}
	switch {
	case p.probes():
		b.endProbe(p, o)
	case p.mark() != 0:
		p.countTimed(o)
	case o != ignored:
		p.count(o)
	case p.era.lasts():
		b.tally.ignored.Add(1)
	default:
		b.tally.late.Add(1)
	}
}

// count counts the outcome of a call that a closed breaker let out, unless the breaker has gone on without it.
func (p *Permit) count(o outcome) {
	b := p.era.b
	if p.era.lasts() {
		var landed, suspect bool
		if t := b.tally; t.more == nil {
			landed, suspect = t.time.add(b.set.clock.Now(), tagOf(p.era.word), o)
		} else {
			var now int64
			if t.more.calls == nil { // the last calls are the last at any time
				now = b.set.clock.Now()
			}
			landed, suspect = t.add(now, tagOf(p.era.word), o)
		}
		if suspect {
			b.judge(p, b.set.clock.Now())
		}
		if landed {
			return
		}
	}
	p.setPhase(spent) // nothing was counted that could be amended
	b.tally.late.Add(1)
}

// countTimed counts the outcome of a call whose time is taken. Those that hung longer come first.
func (p *Permit) countTimed(o outcome) {
	b := p.era.b
	flights := b.flights
	words := flights.stripe() // first, for no load runs ahead of a clock reading
	now := b.set.clock.Now()
	overdue := flights.due(now)
	if overdue {
		b.mu.Lock()
		b.settle(now)
		b.mu.Unlock()
	}
	mark, tag := p.mark(), tagOf(p.era.word)
	switch out, over := flights.end(words, mark, tag); {
	case !out:
		p.countLate(o, now, over)
	case o == ignored:
		b.tally.ignored.Add(1)
	default:
		if now-timeOf(mark) >= flights.slowCall { // what settings.timed says, and at hand
			o |= slow
		}
		p.setCounted(o)
		var landed, suspect bool
		if b.tally.more == nil { // one call less, for most
			landed, suspect = b.tally.time.add(now, tag, o)
		} else {
			landed, suspect = b.tally.add(now, tag, o)
		}
		if suspect {
			b.judge(p, now)
		}
		if !landed {
			p.setPhase(spent)
			b.tally.late.Add(1)
		}
	}
	if overdue { // last, for a listener may panic
		b.mu.Lock()
		b.leave(p.ctx)
	}
}

// countLate counts the outcome of a call that was taken out by somebody else: its generation is over, or it was counted
// while it hung.
func (p *Permit) countLate(o outcome, now int64, over bool) {
	b, mark, tag := p.era.b, p.mark(), tagOf(p.era.word)
	if !over && p.era.lasts() { // it is counted while it hung: perhaps by somebody who is at it, and has the lock
		b.mu.Lock()
		b.mu.Unlock() //nolint:staticcheck // see above
		p.setCounted(slow)
		if o != ignored && b.tally.endHung(now, tag, o) {
			b.judge(p, now)
		}
		return
	}
	p.setPhase(spent) // a tag comes again after many generations
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.flights.counted(mark, tag) {
		b.tally.late.Add(1)
	}
}
