//go:build race

package telemetrytest

// The race detector makes a key cost tens of microseconds. The promise is about a million keys, and a build without
// the detector shows it for as many.
const floods = 20_000
