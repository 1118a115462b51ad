package main

import (
	"sync/atomic"

	"github.com/joist-go/joist/internal/clock"
	"github.com/joist-go/joist/internal/telemetry"
)

// steps are what hot paths are made of. Their settings say what a step is.
var steps = []contender{
	{name: "empty-loop", settings: "what the measurement itself costs per call", loop: func(int) func(int) {
		return func(n int) {
			for range n {
				keep()
			}
		}
	}},
	{name: "call", settings: "the call that the blocks are put around", loop: func(int) func(int) {
		return func(n int) {
			for range n {
				_ = work(ctx)
			}
		}
	}},
	clockStep, casStep, counterStep,
}

// keep is inlined to nothing. An empty body would do as well: Go does not remove empty loops.
func keep() {}

var clockStep = contender{
	name: "clock", settings: "one reading of the monotonic clock",
	loop: func(int) func(int) {
		c := clock.New()
		return func(n int) {
			var last int64
			for range n {
				last = c.Now()
			}
			sink.Store(last)
		}
	},
}

var casStep = contender{
	name: "cas", settings: "load and compare-and-swap of one word, shared by all goroutines",
	loop: func() func(int) func(int) {
		var word atomic.Int64
		return func(int) func(int) {
			return func(n int) {
				for range n {
					for old := word.Load(); !word.CompareAndSwap(old, old+1); old = word.Load() {
						keep()
					}
				}
			}
		}
	}(),
}

var counterStep = contender{
	name: "counter", settings: "one addition to a striped counter",
	loop: func() func(int) func(int) {
		cell := telemetry.NewCell(1)
		return func(int) func(int) {
			return func(n int) {
				for range n {
					cell.Add(0, 1)
				}
			}
		}
	}(),
}

// sink takes results so that nothing is left out as unused.
var sink atomic.Int64

// clockAndCAS is the floor of what admits by time: a clock reading and a compare-and-swap of one shared word.
func clockAndCAS() *contender {
	c := clock.New()
	var word atomic.Int64
	return &contender{loop: func(int) func(int) {
		return func(n int) {
			for range n {
				now := c.Now()
				for old := word.Load(); !word.CompareAndSwap(old, max(old, now)); old = word.Load() {
					keep()
				}
			}
		}
	}}
}

// clockOnly is the floor of what judges by time and writes nothing but a counter of its own.
func clockOnly() *contender {
	c := clock.New()
	cell := telemetry.NewCell(1)
	return &contender{loop: func(int) func(int) {
		return func(n int) {
			for range n {
				if c.Now() >= 0 {
					cell.Add(0, 1)
				}
			}
		}
	}}
}

// counterAndCall is the floor of what counts one call and makes it.
func counterAndCall() *contender {
	cell := telemetry.NewCell(1)
	return &contender{loop: func(int) func(int) {
		return func(n int) {
			for range n {
				cell.Add(0, 1)
				_ = work(ctx)
			}
		}
	}}
}

// enterAndLeave is the floor of what bounds the calls in flight: two additions to one shared word, and the call.
func enterAndLeave() *contender {
	var inFlight atomic.Int64
	return &contender{loop: func(int) func(int) {
		return func(n int) {
			for range n {
				inFlight.Add(1)
				_ = work(ctx)
				inFlight.Add(-1)
			}
		}
	}}
}
