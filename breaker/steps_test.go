//go:build !race

package breaker_test

// leastSteps is the size of TestABreakerDoesWhatTheModelDoes.
const leastSteps = 1_000_000
