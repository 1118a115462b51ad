//go:build long

package ratelimit_test

import "time"

const (
	demandFor   = 5 * time.Second
	hostileKeys = 10_000_000
)
