package pool

// Waiting returns how many callers wait for a place.
func (p *Pool) Waiting() int { return int(p.waiting.Load()) }
