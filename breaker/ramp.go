package breaker

const (
	// wholeShare is all calls, in the unit of shares: 1024 divides the range of credit.
	wholeShare = 1024
	// leastShare is what a ramp begins with.
	leastShare = wholeShare / 10
	// rampHints is how many times in a ramp a refused caller is asked to come again.
	rampHints = 10
)

// startRamp begins a ramp. The caller holds mu, and shows the ramp in the state word next.
//
// A ramp spreads the calls that it lets through evenly, without a lock and without chance: each call adds the share of
// its moment to credit, and is let through if that makes another whole. So of n calls at a share s, n·s are let through,
// give or take one, whoever makes them. The first call is let through: credit begins just below a whole.
func (b *Breaker) startRamp(at int64, r ratios) {
	until := addTime(at, int64(b.set.ramp))
	b.credit.Store(wholeShare - 1)
	b.until.Store(until)
	b.refusal.Store(&OpenError{
		Name: b.set.name, State: Closed, Wait: max(b.set.ramp/rampHints, 1), FailureRatio: r.failure, SlowRatio: r.slow, clock: &b.set.clock, until: until,
	})
}

// endRamp makes a ramping breaker a closed one, in the same generation. The caller holds mu.
func (b *Breaker) endRamp(word uint64) {
	b.openings = 0
	b.show(word &^ rampFlag)
}

// share returns how many of 1024 calls are let through at now. It rises with time, from a tenth.
func (b *Breaker) share(now int64) uint32 {
	ramp := int64(b.set.ramp)
	passed := ramp - (b.until.Load() - now) // may be anything when the ramp has been cut short
	passed = min(max(passed, 0), ramp)
	return max(uint32(wholeShare*passed/ramp), leastShare)
}

// inShare decides about a call during a ramp.
func (b *Breaker) inShare(now int64) bool {
	share := b.share(now)
	credit := b.credit.Add(share)
	return credit/wholeShare != (credit-share)/wholeShare
}
