//go:build !long

package ratelimit_test

import "time"

// How much the tests that count do; see size_long_test.go.
const (
	demandFor   = 100 * time.Millisecond
	hostileKeys = 1_000_000
)
