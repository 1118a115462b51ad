package throttle

// Draw replaces the random numbers of a throttle.
func Draw(t *Throttle, random func() float64) { t.random = random }
