package main

import (
	"fmt"
	"slices"
	"strings"
)

// block is a part of joist with the cases that are measured of it.
type block struct {
	name  string
	cases []benchCase
}

// blocks lists everything that can be measured, in the order of the design's layout.
var blocks = []block{
	{"cache", cacheCases},
	{"ratelimit", ratelimitCases},
	{"ratelimithttp", ratelimithttpCases},
	{"retry", retryCases},
	{"breaker", breakerCases},
	{"throttle", throttleCases},
	{"pool", poolCases},
	{"flight", flightCases},
	{"bulkhead", bulkheadCases},
	{"batch", batchCases},
	{"balance", balanceCases},
	{"compose", composeCases},
	{"telemetry", telemetryCases},
}

// benchCase is one piece of work that ours and its peers do.
type benchCase struct {
	name  string
	about string // what one call is
	setup func(env *environment) (lineup, error)

	// longer, if not 0, is how many times longer than others the slices of this case are, and how many times fewer: for
	// work on so much memory that a slice has to warm the processor's caches first.
	longer int

	// twin, for the telemetry block, is the case whose hot path is run with counters and without.
	twin string
}

// lineup is who takes part in a case.
type lineup struct {
	ours  contender
	peers []contender
	floor *contender // what no implementation can leave out
}

// environment is what a case is set up in.
type environment struct {
	sdk      *sdk
	cleanups []func()
}

// cleanup has f called once the case was measured, last registered first.
func (e *environment) cleanup(f func()) { e.cleanups = append(e.cleanups, f) }

func (e *environment) close() {
	for _, f := range slices.Backward(e.cleanups) {
		f()
	}
	e.cleanups = nil
}

// selected returns the blocks and cases that only names: all of them if it is empty, a BLOCK, or a BLOCK/CASE.
func selected(only string) ([]block, error) {
	if only == "" {
		return blocks, nil
	}
	blockName, caseName, oneCase := strings.Cut(only, "/")
	for _, b := range blocks {
		if b.name != blockName {
			continue
		}
		if !oneCase {
			return []block{b}, nil
		}
		for _, c := range b.cases {
			if c.name == caseName {
				return []block{{b.name, []benchCase{c}}}, nil
			}
		}
	}
	return nil, fmt.Errorf("no block or case is called %q: -list shows them", only)
}
