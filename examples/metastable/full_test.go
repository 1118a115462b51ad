//go:build !race

package main

import (
	"fmt"
	"testing"
	"time"
)

// These tests take half a minute on two cores, and many times that with the race detector. With it the same code runs in
// the test of the command.

// seedsTested is how many seeds each test simulates.
const seedsTested = uint64(3)

// wanted is what a policy must come to with every seed. Arrivals and service times are the seed's; the jitter of the
// library is not, so that figures differ a little from run to run, and the ranges leave room for that.
type wanted struct {
	never         bool          // stays collapsed
	recovers      time.Duration // at most, after the servers are well again
	notBefore     time.Duration
	failed        [2]float64 // share of calls
	amplification [2]float64 // in the ten seconds after
}

func (w wanted) check(t *testing.T, r result) {
	after, ok := r.recovery()
	t.Logf("recovered: %v after %v; %.3f fail; %.2f attempts per call", ok, after, r.failed(), r.amplification())
	switch {
	case w.never && ok:
		t.Errorf("recovered after %v, want it to stay collapsed", after)
	case !w.never && !ok:
		t.Errorf("did not recover, want it to within %v", w.recovers)
	case !w.never && (after < w.notBefore || after > w.recovers):
		t.Errorf("recovered after %v, want from %v to %v", after, w.notBefore, w.recovers)
	}
	if got := r.failed(); got < w.failed[0] || got > w.failed[1] {
		t.Errorf("%.3f of the calls fail, want from %v to %v", got, w.failed[0], w.failed[1])
	}
	if got := r.amplification(); got < w.amplification[0] || got > w.amplification[1] {
		t.Errorf("%.3f attempts per call, want from %v to %v", got, w.amplification[0], w.amplification[1])
	}
	for second, calls := range r.calls[5:int(slowFrom/time.Second)] {
		if r.answered[5+second] < healthy*calls {
			t.Errorf("second %d, before anything is slow: %v of %v calls answered", 5+second, r.answered[5+second], calls)
		}
	}
	if w.never {
		if last := len(r.calls) - 20; sum(r.answered[last:]) > 0.01*sum(r.calls[last:]) {
			t.Errorf("in the last 20 s %v of %v calls are answered, want next to none", sum(r.answered[last:]), sum(r.calls[last:]))
		}
	}
}

func TestOnlyABudgetOrABreakerEndsTheCollapse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		load float64
		want []wanted // of each policy
	}{
		{0.5, []wanted{
			{never: true, failed: [2]float64{0.72, 0.9}, amplification: [2]float64{3.5, 4}},
			{notBefore: 4 * time.Second, recovers: 20 * time.Second, failed: [2]float64{0.05, 0.1}, amplification: [2]float64{1.03, 1.12}},
			{recovers: 5 * time.Second, failed: [2]float64{0.02, 0.05}, amplification: [2]float64{0.95, 1.08}},
			{notBefore: 20 * time.Second, recovers: 90 * time.Second, failed: [2]float64{0.12, 0.35}, amplification: [2]float64{1.3, 2.4}},
		}},
		{0.7, []wanted{
			{never: true, failed: [2]float64{0.72, 0.9}, amplification: [2]float64{3.5, 4}},
			{notBefore: 12 * time.Second, recovers: 50 * time.Second, failed: [2]float64{0.1, 0.2}, amplification: [2]float64{1.05, 1.12}},
			{recovers: 5 * time.Second, failed: [2]float64{0.02, 0.05}, amplification: [2]float64{0.95, 1.08}},
			{notBefore: 20 * time.Second, recovers: 90 * time.Second, failed: [2]float64{0.12, 0.35}, amplification: [2]float64{0.9, 1.8}},
		}},
		{0.85, []wanted{
			{never: true, failed: [2]float64{0.72, 0.9}, amplification: [2]float64{3.5, 4}},
			{notBefore: 80 * time.Second, recovers: 185 * time.Second, failed: [2]float64{0.35, 0.65}, amplification: [2]float64{1.05, 1.12}},
			{recovers: 5 * time.Second, failed: [2]float64{0.02, 0.05}, amplification: [2]float64{0.95, 1.08}},
			{notBefore: 20 * time.Second, recovers: 90 * time.Second, failed: [2]float64{0.12, 0.35}, amplification: [2]float64{0.7, 1.4}},
		}},
	} {
		for i, p := range policies {
			t.Run(fmt.Sprintf("%.0f %%, %s", 100*tt.load, p.name), func(t *testing.T) {
				t.Parallel()
				for seed := range seedsTested {
					length := 4 * time.Minute
					if seed > 0 && tt.want[i].never {
						length = 2 * time.Minute // simulating a collapse that does not end takes most of the time
					}
					tt.want[i].check(t, simulate(t, scenario{policy: p, load: tt.load, seed: seed + 1, length: length}))
				}
			})
		}
	}
}
