//go:build race

package breaker_test

// leastSteps is smaller here: a step takes ten times as long with the race detector, and the machine has one goroutine
// at a time.
const leastSteps = 50_000
