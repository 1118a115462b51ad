//go:build !long

package ratelimit

// How much the tests that count do; see cases_long_test.go.
const magnitudeCases = 50_000
