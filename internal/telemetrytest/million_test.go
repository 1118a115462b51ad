//go:build !race

package telemetrytest

// floods is how many distinct keys each keyed block sees.
const floods = 1_000_000
