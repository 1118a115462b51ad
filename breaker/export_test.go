package breaker

import "context"

// PermitGeneration returns the generation that a permit was given in, and whether it is a probe's.
func PermitGeneration(p *Permit) (generation uint64, probe bool) {
	return p.era.word >> generationShift, p.probes() && p.mark() != 0
}

// DroppedTallies returns how many dropped breakers a Keyed still counts one by one.
func DroppedTallies[K comparable](k *Keyed[K]) int {
	k.ledger.mu.Lock()
	defer k.ledger.mu.Unlock()
	return len(k.ledger.dropped)
}

// AdmitLocked is what a call does that found no reason to refuse before it had the lock.
func AdmitLocked(b *Breaker) bool {
	_, _, allowed := b.lookAgain(context.Background(), b.set.clock.Now())
	return allowed
}

// Plain reports whether a call is let out after one look at the state word.
func Plain(b *Breaker) bool { return b.word()&plainMask == 0 }
