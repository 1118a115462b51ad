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
	b      *Breaker
	ctx    context.Context
	ticket uint64
	mark   int64 // when the call began, if the breaker has SlowCall and was closed; after Done, what Amend amends
}

// A ticket is the state word that the permit was given under, with the serial of a probe (0 for a call that a closed
// breaker let out) and the permit's phase in the place of the state. So a Permit is five words, which Go passes
// in registers.
const (
	phaseMask  = 1<<stateBits - 1
	serialBits = generationShift - stateBits
	serialMask = 1<<serialBits - 1

	unused    = 0 // the phases: of the zero Permit,
	calling   = 1 // until Done,
	succeeded = 2 // as Done said; Amend may say otherwise;
	spent     = 3
)

func (p *Permit) phase() uint64         { return p.ticket & phaseMask }
func (p *Permit) setPhase(phase uint64) { p.ticket = p.ticket&^phaseMask | phase }
func (p *Permit) serial() uint32        { return uint32(p.ticket >> stateBits & serialMask) }

// current reports whether the breaker is still in the generation that the permit was given in.
func (p *Permit) current() bool { return (p.b.word.Load()^p.ticket)>>generationShift == 0 }

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
		p.finish(p.b.set.classify(p.ctx, err))
		return
	}
	if p.ticket>>stateBits&serialMask != 0 || p.b.set.keyed {
		p.finish(success)
		return
	}
	p.setPhase(succeeded)
	p.count(success)
}

// Amend tells that a call which Done reported as a success has failed after all, as when the body of a response breaks
// off long after its header. If err is a failure, judged as Done does it, the success becomes a failure: the number of
// calls stays. It does so once, and only while the breaker is in the state in which the call began.
func (p *Permit) Amend(err error) {
	if p.phase() != succeeded || err == nil || p.b.set.classify(p.ctx, err) != failure {
		return
	}
	p.setPhase(spent)
	if p.serial() != 0 {
		p.b.amendProbe(p)
		return
	}
	now := p.b.set.clock.Now()
	if f := p.b.flights(); f != nil && f.due(now) { // what hung before comes first
		p.b.mu.Lock()
		p.b.settle(now)
		p.b.leave(p.ctx)
	}
	if !p.current() {
		return
	}
	if _, suspect := p.b.tally.amend(now, tagOf(p.ticket), p.counted()); suspect {
		p.b.judge(p, now)
	}
}

// abandon reports a failure unless something was reported: the call panicked, or its goroutine exits.
func (p *Permit) abandon() {
	if p.phase() == calling {
		p.finish(failure)
	}
}

func (p *Permit) finish(o outcome) {
	b := p.b
	if o == success {
		p.setPhase(succeeded)
	} else {
		p.setPhase(spent)
	}
	if b.set.keyed {
		b.tally.out.Add(-1)
	}
	switch {
	case p.serial() != 0:
		b.endProbe(p, o)
	case o != ignored || p.mark != 0:
		p.count(o)
	case p.current():
		b.tally.ignored.Add(1)
	default:
		b.tally.late.Add(1)
	}
}

// count counts the outcome of a call that a closed breaker let out, unless the breaker has gone on without it.
func (p *Permit) count(o outcome) {
	b := p.b
	if p.mark != 0 {
		p.countTimed(o)
		return
	}
	if p.current() {
		var landed, suspect bool
		if t := b.tally; t.more == nil {
			landed, suspect = t.time.add(b.set.clock.Now(), tagOf(p.ticket), o)
		} else {
			var now int64
			if t.more.calls == nil { // the last calls are the last at any time
				now = b.set.clock.Now()
			}
			landed, suspect = t.add(now, tagOf(p.ticket), o)
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
	b, mark, tag := p.b, p.mark, tagOf(p.ticket)
	now := b.set.clock.Now()
	if b.flights().due(now) {
		b.mu.Lock()
		b.settle(now)
		b.mu.Unlock()
		defer func() { // last, for a listener may panic
			b.mu.Lock()
			b.leave(p.ctx)
		}()
	}
	out, over := b.flights().end(mark, tag)
	switch {
	case out && o == ignored:
		p.mark = 0
		b.tally.ignored.Add(1)
	case out:
		o = b.set.timed(o, timeOf(mark), now)
		p.setCounted(o)
		landed, suspect := b.tally.add(now, tag, o)
		if suspect {
			b.judge(p, now)
		}
		if !landed {
			p.setPhase(spent)
			b.tally.late.Add(1)
		}
	case over || !p.current(): // a tag comes again after many generations
		p.setPhase(spent)
		b.mu.Lock()
		if !b.flights().counted(mark, tag) {
			b.tally.late.Add(1)
		}
		b.mu.Unlock()
	default: // it was counted while it hung
		p.setCounted(slow)
		if o != ignored && b.tally.endHung(now, tag, o) {
			b.judge(p, now)
		}
	}
}

// counted is the outcome that Amend is to amend; setCounted notes it where the mark is not needed any more.
func (p *Permit) counted() outcome     { return outcome(p.mark) & slow }
func (p *Permit) setCounted(o outcome) { p.mark = int64(o & slow) }
