package main

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// countingContender counts the calls of all its loops.
func countingContender(calls *atomic.Int64, loops *atomic.Int64) contender {
	return contender{loop: func(int) func(int) {
		loops.Add(1)
		return func(n int) { calls.Add(int64(n)) }
	}}
}

func TestEveryCallIsMadeOnceInBothModes(t *testing.T) {
	for _, in := range modes {
		for _, n := range []int{1, 2, 63, 64, 1000, 123_457} {
			var calls, loops atomic.Int64
			l := newLocal(countingContender(&calls, &loops))
			if _, err := l.run(in, n); err != nil {
				t.Fatal(err)
			}
			if calls.Load() != int64(n) {
				t.Errorf("%s: %d calls, want %d", in, calls.Load(), n)
			}
			if loops.Load() != int64(runtime.GOMAXPROCS(0)) {
				t.Errorf("%s: %d loops, want one per processor", in, loops.Load())
			}
		}
	}
}

func TestSettlingIsPartOfTheTimeAndComesAfterAllCalls(t *testing.T) {
	for _, in := range modes {
		var calls, loops, atSettle atomic.Int64
		const n = 10_000
		const settling = 5 * time.Millisecond
		c := countingContender(&calls, &loops)
		c.settle = func() {
			atSettle.Store(calls.Load())
			for start := time.Now(); time.Since(start) < settling; { //nolint:revive // the time itself is what is tested
			}
		}
		took, err := newLocal(c).run(in, n)
		if err != nil {
			t.Fatal(err)
		}
		if atSettle.Load() != n {
			t.Errorf("%s: settled after %d of %d calls", in, atSettle.Load(), n)
		}
		if took < settling {
			t.Errorf("%s: took %v, which leaves out the %v of settling", in, took, settling)
		}
	}
}

var kept []*[64]byte

func TestAllocationsAreCountedPerCall(t *testing.T) {
	kept = make([]*[64]byte, 8)
	for want := range 4 {
		c := contender{loop: func(int) func(int) {
			return func(n int) {
				for range n {
					for i := range want {
						kept[i] = new([64]byte)
					}
				}
			}
		}}
		got, err := newLocal(c).allocs()
		if err != nil {
			t.Fatal(err)
		}
		if got != float64(want) {
			t.Errorf("counted %v allocations per call, want %d", got, want)
		}
	}
}

func TestAllocationsOfTasksThatAreHandedOverAreCounted(t *testing.T) {
	kept = make([]*[64]byte, 1)
	pending := 0
	c := contender{
		loop: func(int) func(int) { return func(n int) { pending += n } },
		settle: func() {
			for ; pending > 0; pending-- {
				kept[0] = new([64]byte)
			}
		},
	}
	if got, err := newLocal(c).allocs(); err != nil || got != 1 {
		t.Errorf("counted %v allocations per call (%v), want 1", got, err)
	}
}
