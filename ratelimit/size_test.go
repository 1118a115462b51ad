//go:build !long

package ratelimit_test

import "time"

// How much the tests that count do; see size_long_test.go.
const (
	demandFor   = 100 * time.Millisecond
	demandShare = 0.5 // a machine that does other things too may stand still for long in so short a time
	hostileKeys = 1_000_000
)
