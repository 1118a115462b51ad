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
	word   uint64 // the breaker's state word when it let the call out: results of another generation count nowhere
	serial uint32 // of a probe, with its place
	place  uint16
	phase  phase
}

type phase uint8

const (
	unused phase = iota
	calling
	succeeded // as Done said; Amend may say otherwise
	spent
)

// noCopy makes go vet notice copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Done reports what the call returned: nil is a success; what other errors are is explained at [Options].IsFailure and
// in the package comment. A second Done does nothing. Done does not block, but for a state change's listener, and
// allocates nothing unless the state changes.
func (p *Permit) Done(err error) {
	if p.phase != calling {
		return
	}
	if err != nil {
		p.finish(p.b.set.classify(p.ctx, err))
		return
	}
	b := p.b
	if b.keyed || stateOf(p.word) != Closed {
		p.finish(success)
		return
	}
	p.phase = succeeded
	b.count(p, okUnit)
}

// Amend tells that a call which Done reported as a success has failed after all, as when the body of a response breaks
// off long after its header. If err is a failure, judged as Done does it, the success becomes a failure: the number of
// calls stays. It does so once, and only while the breaker is in the state in which the call began.
func (p *Permit) Amend(err error) {
	if p.phase != succeeded || err == nil || p.b.set.classify(p.ctx, err) != failure {
		return
	}
	p.phase = spent
	p.b.amend(p)
}

// abandon reports a failure unless something was reported: the call panicked, or its goroutine exits.
func (p *Permit) abandon() {
	if p.phase == calling {
		p.finish(failure)
	}
}

func (p *Permit) finish(o outcome) {
	b := p.b
	p.phase = spent
	if o == success {
		p.phase = succeeded
	}
	if b.keyed {
		b.tally.out.Add(-1)
	}
	switch {
	case stateOf(p.word) != Closed:
		b.endProbe(p, o)
	case o == success:
		b.count(p, okUnit)
	case o == failure:
		b.count(p, failedUnit)
	case b.word.Load() == p.word:
		b.tally.ignored.Add(1)
	default:
		b.tally.late.Add(1)
	}
}

// count counts the outcome of a call that a closed breaker let out, unless the breaker has gone on without it.
func (b *Breaker) count(p *Permit, unit uint64) {
	if b.word.Load() == p.word {
		now := b.set.clock.Now()
		landed, suspect := b.tally.add(now, tagOf(p.word), unit)
		if suspect {
			b.judge(p.ctx, p.word, now)
		}
		if landed {
			return
		}
	}
	b.tally.late.Add(1)
}

// endProbe counts the outcome of a probe, unless it was reclaimed or the breaker has gone on without it.
func (b *Breaker) endProbe(p *Permit, o outcome) {
	now := b.set.clock.Now()
	b.mu.Lock()
	b.settle(now)
	if b.word.Load() == p.word && b.probes[p.place].serial == p.serial {
		b.finishProbe(int(p.place), o, now)
	} else {
		b.tally.late.Add(1)
	}
	b.leave(p.ctx)
}

func (b *Breaker) amend(p *Permit) {
	now := b.set.clock.Now()
	if stateOf(p.word) == Closed {
		if b.word.Load() == p.word && b.tally.amend(now, tagOf(p.word)) {
			b.judge(p.ctx, p.word, now)
		}
		return
	}
	b.mu.Lock()
	b.settle(now)
	if b.word.Load() == p.word {
		b.ok--
		b.failed++
		b.tally.succeeded.Add(-1)
		b.tally.failed.Add(1)
		b.decide(now)
	}
	b.leave(p.ctx)
}
