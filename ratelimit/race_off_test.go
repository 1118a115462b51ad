//go:build !race

package ratelimit_test

const slowed = false
