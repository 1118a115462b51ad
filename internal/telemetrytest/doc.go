// Package telemetrytest shows, with OpenTelemetry's SDK attached, that what joist exports is what docs/telemetry.md
// says. It is a module of its own so that the SDK is nobody's requirement.
package telemetrytest
