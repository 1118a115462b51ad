package main

import (
	"math"
	"runtime"
	"sync/atomic"
	"time"
)

// mode is how many goroutines do the work.
type mode string

const (
	serial   mode = "serial"   // one goroutine
	parallel mode = "parallel" // one per processor, released together
)

var modes = []mode{serial, parallel}

// contender is one way to do the work of a case.
type contender struct {
	name     string
	module   string // whose version is printed; empty for the standard library and for ours
	settings string // in words, for the reader

	// loop returns what one goroutine runs: a function that does the work n times. It keeps the goroutine's own
	// state, such as its place in the keys, from call to call. A loop stands in the case itself and not in the
	// harness, so that no indirect call lies between the measurement and what is measured.
	loop func(worker int) func(n int)

	// settle, if any, returns once all work is done that the loops have only handed over. Its time counts.
	settle func()
}

// grains is into how many pieces each goroutine's share of a parallel run is cut. Goroutines claim pieces until none
// is left, so that one which lost its processor for a while does not make the others wait.
const grains = 64

// local runs a contender in this process.
type local struct {
	loops  []func(n int)
	settle func()
}

// newLocal makes the loops of all workers once: they keep their state over all runs.
func newLocal(c contender) *local {
	l := &local{settle: c.settle}
	if l.settle == nil {
		l.settle = func() {}
	}
	for worker := range runtime.GOMAXPROCS(0) {
		l.loops = append(l.loops, c.loop(worker))
	}
	return l
}

func (l *local) run(m mode, n int) (time.Duration, error) {
	if m == serial {
		return l.runSerial(n), nil
	}
	return l.runParallel(n), nil
}

func (l *local) runSerial(n int) time.Duration {
	start := time.Now()
	l.loops[0](n)
	l.settle()
	return time.Since(start)
}

// runParallel has n calls made by all workers together. They wait for the start with their eyes open, and the last one
// to finish stops the clock, so that no wake-up is measured.
func (l *local) runParallel(n int) time.Duration {
	var (
		ready, claimed atomic.Int64
		running        atomic.Int64
		released       atomic.Bool
		took           = make(chan time.Duration, 1)
		start          time.Time
		total          = int64(n)
		grain          = max(1, total/int64(len(l.loops)*grains))
	)
	running.Store(int64(len(l.loops)))
	for _, loop := range l.loops {
		go func() {
			ready.Add(1)
			for !released.Load() {
				runtime.Gosched()
			}
			for {
				from := claimed.Add(grain) - grain
				if from >= total {
					break
				}
				loop(int(min(grain, total-from)))
			}
			if running.Add(-1) == 0 {
				l.settle()
				took <- time.Since(start)
			}
		}()
	}
	for ready.Load() < int64(len(l.loops)) {
		runtime.Gosched()
	}
	start = time.Now()
	released.Store(true)
	return <-took
}

// allocCalls is over how many calls allocations are averaged, allocPasses how often that is repeated: the least
// counts, for what the runtime allocates now and then comes on top.
const (
	allocCalls  = 2000
	allocPasses = 4
)

func (l *local) allocs() (float64, error) {
	l.runSerial(allocCalls) // whatever is set up at first use
	least := math.Inf(1)
	var before, after runtime.MemStats
	for range allocPasses {
		runtime.ReadMemStats(&before)
		l.loops[0](allocCalls)
		l.settle()
		runtime.ReadMemStats(&after)
		least = min(least, float64(after.Mallocs-before.Mallocs)/allocCalls)
	}
	return math.Round(least*100) / 100, nil
}
