//go:build race

package ratelimit_test

// slowed tells that the race detector makes everything some ten times slower.
const slowed = true
