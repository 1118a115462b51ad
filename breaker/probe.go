package breaker

import (
	"math"
	"slices"
)

// probe is a call that a half-open breaker has let out.
type probe struct {
	began  int64 // clock reading
	serial int64 // of its permit
}

// trial is what a half-open breaker knows of its probes. The breaker's mu guards it.
type trial struct {
	out     []probe // those that hold a place, in no order
	serial  int64   // of the latest
	results [outcomes]int16
}

// settle makes the changes that time alone has brought about by now, each at the moment that it was due: an opening runs
// out, hung probes are reclaimed as failures, a ramp ends. The caller holds mu.
func (b *Breaker) settle(now int64) {
	for {
		word := b.word()
		switch stateOf(word) {
		case Open:
			if now < b.until.Load() {
				return
			}
			b.move(HalfOpen, b.until.Load(), ratios{})
		case HalfOpen:
			place, deadline := b.nextDeadline()
			if now < deadline {
				return
			}
			b.finishProbe(place, b.set.timed(failure, b.trial.out[place].began, deadline), deadline)
		default:
			if b.flights != nil && b.countHung(word, now) {
				continue
			}
			if word&rampFlag != 0 && now >= b.until.Load() {
				b.endRamp(word)
			}
			return
		}
	}
}

// nextDeadline returns the probe that is reclaimed first, and when. The caller holds mu, and the breaker is half-open.
func (b *Breaker) nextDeadline() (place int, deadline int64) {
	if b.trial == nil {
		return 0, math.MaxInt64
	}
	oldest := int64(math.MaxInt64)
	for i, p := range b.trial.out {
		if p.began < oldest {
			place, oldest = i, p.began
		}
	}
	return place, addTime(oldest, b.set.probeTimeout)
}

// takeProbe takes a place among the probes, if one is free. The caller holds mu, and the breaker is half-open.
func (b *Breaker) takeProbe(now int64) (serial int64, free bool) {
	if b.trial == nil {
		b.trial = new(trial)
	}
	t := b.trial
	if len(t.out) == b.set.probes {
		return 0, false
	}
	t.serial++
	t.out = append(t.out, probe{began: now, serial: t.serial})
	if len(t.out) == b.set.probes {
		_, deadline := b.nextDeadline()
		b.refuseUntil.Store(deadline)
	}
	return t.serial, true
}

// placeOf returns the place of the probe with this serial, -1 if there is none.
func (t *trial) placeOf(serial int64) int {
	return slices.IndexFunc(t.out, func(p probe) bool { return p.serial == serial })
}

// finishProbe frees a place and decides. The caller holds mu, and the breaker is half-open.
func (b *Breaker) finishProbe(place int, o outcome, at int64) {
	t := b.trial
	last := len(t.out) - 1
	t.out[place] = t.out[last]
	t.out = t.out[:last]
	b.refuseUntil.Store(math.MinInt64)
	if o == ignored {
		b.tally.ignored.Add(1)
	} else {
		t.results[o]++
		b.tally.fold(o, 1)
	}
	b.decide(at)
}

// decide opens a half-open breaker as soon as one of the ratios over all probes can no longer stay below its limit, and
// closes it when it has the results of all and both did stay below. The caller holds mu.
func (b *Breaker) decide(at int64) {
	c, n := b.trial.census(), int64(b.set.probes)
	switch {
	case b.set.limits.reached(census{n, c.failed, c.slow}):
		b.move(Open, at, c.ratios())
	case c.calls >= n:
		b.move(Closed, at, c.ratios())
	}
}

// census counts the results.
func (t *trial) census() census {
	ok, failed, late, both := int64(t.results[success]), int64(t.results[failure]), int64(t.results[slow]), int64(t.results[slow|failure])
	return census{ok + failed + late + both, failed + both, late + both}
}

// endProbe counts the outcome of a probe, unless it was reclaimed or the breaker has gone on without it.
func (b *Breaker) endProbe(p *Permit, o outcome) {
	now := b.set.clock.Now()
	b.mu.Lock()
	b.settle(now)
	place := -1
	if p.era.lasts() {
		place = b.trial.placeOf(p.mark())
	}
	if place >= 0 {
		o = b.set.timed(o, b.trial.out[place].began, now)
		p.setCounted(o)
		b.finishProbe(place, o, now)
	} else {
		p.setPhase(spent) // nothing was counted that could be amended
		b.tally.late.Add(1)
	}
	b.leave(p.ctx)
}

// amendProbe makes a failure of a probe's success, unless the breaker has gone on.
func (b *Breaker) amendProbe(p *Permit) {
	now := b.set.clock.Now()
	b.mu.Lock()
	b.settle(now)
	if p.era.lasts() {
		from, to := p.counted(), p.counted()|failure
		b.trial.results[from]--
		b.trial.results[to]++
		b.tally.fold(from, -1)
		b.tally.fold(to, 1)
		b.decide(now)
	}
	b.leave(p.ctx)
}
