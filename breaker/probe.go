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

// settle makes the transitions that time alone has brought about by now, each at the moment that it was due: an opening
// runs out, hung probes are reclaimed as failures. The caller holds mu.
func (b *Breaker) settle(now int64) {
	for {
		switch stateOf(b.word.Load()) {
		case Open:
			if now < b.until {
				return
			}
			b.move(HalfOpen, b.until, 0)
		case HalfOpen:
			hung, deadline := b.nextDeadline()
			if now < deadline {
				return
			}
			b.finishProbe(hung, failure, deadline)
		default:
			return
		}
	}
}

// nextDeadline returns the probe that is reclaimed first, and when. The caller holds mu.
func (b *Breaker) nextDeadline() (place int, deadline int64) {
	deadline = math.MaxInt64
	for i, p := range b.probes {
		if p.serial != 0 && p.deadline < deadline {
			place, deadline = i, p.deadline
		}
	}
	return place, deadline
}

// takeProbe takes a place among the probes, if one is free. The caller holds mu, and the breaker is half-open.
func (b *Breaker) takeProbe(now int64) (serial uint64, free bool) {
	if int(b.out) == len(b.probes) {
		return 0, false
	}
	b.serial = max((b.serial+1)&serialMask, 1)
	b.probes[b.placeOf(0)] = probe{deadline: addTime(now, b.set.probeTimeout), serial: b.serial}
	b.out++
	if int(b.out) == len(b.probes) {
		_, deadline := b.nextDeadline()
		b.refuseUntil.Store(deadline)
	}
	return uint64(b.serial), true
}

// placeOf returns the place of the probe with this serial, -1 if there is none. The caller holds mu.
func (b *Breaker) placeOf(serial uint32) int {
	return slices.IndexFunc(b.probes, func(p probe) bool { return p.serial == serial })
}

// finishProbe frees a place and decides. The caller holds mu, and the breaker is half-open.
func (b *Breaker) finishProbe(place int, o outcome, at int64) {
	b.probes[place].serial = 0
	b.out--
	b.refuseUntil.Store(math.MinInt64)
	switch o {
	case success:
		b.ok++
		b.tally.succeeded.Add(1)
	case failure:
		b.failed++
		b.tally.failed.Add(1)
	case ignored:
		b.tally.ignored.Add(1)
	}
	b.decide(at)
}

// decide opens a half-open breaker as soon as the ratio over all probes can no longer stay below FailureRatio, and
// closes it when it has the results of all and did stay below. The caller holds mu.
func (b *Breaker) decide(at int64) {
	n := int32(len(b.probes))
	switch {
	case float64(b.failed)/float64(n) >= b.set.failureRatio:
		b.move(Open, at, float64(b.failed)/float64(b.ok+b.failed))
	case b.ok+b.failed >= n:
		b.move(Closed, at, float64(b.failed)/float64(n))
	}
}

// endProbe counts the outcome of a probe, unless it was reclaimed or the breaker has gone on without it.
func (b *Breaker) endProbe(p *Permit, o outcome) {
	now := b.set.clock.Now()
	b.mu.Lock()
	b.settle(now)
	place := -1
	if p.current() {
		place = b.placeOf(p.serial())
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
		b.ok--
		b.failed++
		b.tally.succeeded.Add(-1)
		b.tally.failed.Add(1)
		b.decide(now)
	}
	b.leave(p.ctx)
}
