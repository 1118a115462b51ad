//go:build race

package main

// seedsTested is how many seeds each test simulates: the race detector makes the same work many times longer.
const seedsTested = uint64(1)
