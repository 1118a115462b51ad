package breaker

// PermitGeneration returns the generation that a permit was given in, and whether it is a probe's.
func PermitGeneration(p *Permit) (generation uint64, probe bool) {
	return p.ticket >> generationShift, p.serial() != 0
}
