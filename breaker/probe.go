package breaker

import (
	"math"
	"slices"
)

// probe is one of the places for calls that a half-open breaker lets out.
type probe struct {
	deadline int64  // clock reading at which it is reclaimed
	serial   uint32 // of the permit that holds it, 0 for none
}

// trial is what a half-open breaker knows of its probes. The breaker's mu guards it.
type trial struct {
	places     []probe
	out        int32 // places taken
	ok, failed int32 // results
}

// settle makes the changes that time alone has brought about by now, each at the moment that it was due: an opening runs
// out, hung probes are reclaimed as failures, a ramp ends. The caller holds mu.
func (b *Breaker) settle(now int64) {
	for {
		word := b.word.Load()
		switch stateOf(word) {
		case Open:
			if now < b.until.Load() {
				return
			}
			b.move(HalfOpen, b.until.Load(), 0)
		case HalfOpen:
			hung, deadline := b.trial.nextDeadline()
			if now < deadline {
				return
			}
			b.finishProbe(hung, failure, deadline)
		default:
			if word&rampFlag != 0 && now >= b.until.Load() {
				b.endRamp(word)
			}
			return
		}
	}
}

// nextDeadline returns the probe that is reclaimed first, and when.
func (t *trial) nextDeadline() (place int, deadline int64) {
	deadline = math.MaxInt64
	for i, p := range t.places {
		if p.serial != 0 && p.deadline < deadline {
			place, deadline = i, p.deadline
		}
	}
	return place, deadline
}

// takeProbe takes a place among the probes, if one is free. The caller holds mu, and the breaker is half-open.
func (b *Breaker) takeProbe(now int64) (serial uint32, free bool) {
	t := b.trial
	if t.full() {
		return 0, false
	}
	b.serial = max((b.serial+1)&serialMask, 1)
	t.places[t.placeOf(0)] = probe{deadline: addTime(now, b.set.probeTimeout), serial: b.serial}
	t.out++
	if t.full() {
		_, deadline := t.nextDeadline()
		b.refuseUntil.Store(deadline)
	}
	return b.serial, true
}

func (t *trial) full() bool { return int(t.out) == len(t.places) }

// placeOf returns the place of the probe with this serial, -1 if there is none.
func (t *trial) placeOf(serial uint32) int {
	return slices.IndexFunc(t.places, func(p probe) bool { return p.serial == serial })
}

// finishProbe frees a place and decides. The caller holds mu, and the breaker is half-open.
func (b *Breaker) finishProbe(place int, o outcome, at int64) {
	t := b.trial
	t.places[place].serial = 0
	t.out--
	b.refuseUntil.Store(math.MinInt64)
	switch o {
	case success:
		t.ok++
		b.tally.succeeded.Add(1)
	case failure:
		t.failed++
		b.tally.failed.Add(1)
	case ignored:
		b.tally.ignored.Add(1)
	}
	b.decide(at)
}

// decide opens a half-open breaker as soon as the ratio over all probes can no longer stay below FailureRatio, and
// closes it when it has the results of all and did stay below. The caller holds mu.
func (b *Breaker) decide(at int64) {
	t := b.trial
	n := int32(len(t.places))
	switch {
	case float64(t.failed)/float64(n) >= b.set.failureRatio:
		b.move(Open, at, float64(t.failed)/float64(t.ok+t.failed))
	case t.ok+t.failed >= n:
		b.move(Closed, at, float64(t.failed)/float64(n))
	}
}

// endProbe counts the outcome of a probe, unless it was reclaimed or the breaker has gone on without it.
func (b *Breaker) endProbe(p *Permit, o outcome) {
	now := b.set.clock.Now()
	b.mu.Lock()
	b.settle(now)
	place := -1
	if p.current() {
		place = b.trial.placeOf(p.serial())
	}
	if place >= 0 {
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
	if p.current() {
		b.trial.ok--
		b.trial.failed++
		b.tally.succeeded.Add(-1)
		b.tally.failed.Add(1)
		b.decide(now)
	}
	b.leave(p.ctx)
}
