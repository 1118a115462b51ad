//go:build long

package ratelimit

const magnitudeCases = 1_000_000
