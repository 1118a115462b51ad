package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
)

// plan says how long a measurement takes. See the package's comment for why slices are short and many.
type plan struct {
	rounds int
	slice  time.Duration
}

// stretched returns a plan of the same length with fewer and longer slices.
func (p plan) stretched(times int) plan {
	if times > 1 {
		p.slice *= time.Duration(times)
		p.rounds = max(p.rounds/times, fewestRounds)
	}
	return p
}

// fewestRounds is how many rounds a plan keeps when its slices grow: a median needs some.
const fewestRounds = 5

var (
	fullPlan   = plan{rounds: 301, slice: 1500 * time.Microsecond}
	quickPlan  = plan{rounds: 75, slice: time.Millisecond}
	allocsPlan = plan{rounds: 3, slice: time.Millisecond}
)

// collectEvery is how many rounds pass between two collections of the metrics.
const collectEvery = 10

// racer does the work of a case on demand, in this process or in another.
type racer interface {
	// run does the work n times and returns how long that took.
	run(m mode, n int) (time.Duration, error)
	// allocs returns the allocations of one call.
	allocs() (float64, error)
}

// figure is what was measured of one racer in one mode: nanoseconds per call (median and quartiles) and allocations.
type figure struct {
	Name   string  `json:"name"`
	NS     float64 `json:"ns"`
	Q1     float64 `json:"q1"`
	Q3     float64 `json:"q3"`
	Allocs float64 `json:"allocs"`
}

// race lets the racers take turns and returns their figures in the same order. It calls between after every
// collectEvery rounds, outside all measured time. It gives up between two rounds when ctx ends.
func race(ctx context.Context, p plan, m mode, racers []racer, between func()) ([]figure, error) {
	figures := make([]figure, len(racers))
	calls := make([]int, len(racers))
	for i, r := range racers {
		var err error
		if figures[i].Allocs, err = r.allocs(); err != nil {
			return nil, err
		}
		if calls[i], err = calibrate(r, m, p.slice); err != nil {
			return nil, err
		}
	}
	samples := make([][]float64, len(racers))
	runtime.GC()
	for round := range p.rounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for turn := range racers {
			i := (turn + round) % len(racers)
			took, err := racers[i].run(m, calls[i])
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], float64(took)/float64(calls[i]))
			if figures[i].Allocs > 0 {
				runtime.GC() // who allocates leaves no garbage to the next
			}
		}
		if round%collectEvery == 0 {
			between()
		}
	}
	for i := range figures {
		figures[i].NS = quantile(samples[i], 0.5)
		figures[i].Q1 = quantile(samples[i], 0.25)
		figures[i].Q3 = quantile(samples[i], 0.75)
	}
	return figures, nil
}

// calibrate returns how many calls fill a slice. The larger of two estimates counts: a disturbance can only make one
// too small.
func calibrate(r racer, m mode, slice time.Duration) (int, error) {
	calls := 1
	for range 2 {
		n, err := estimate(r, m, slice)
		if err != nil {
			return 0, err
		}
		calls = max(calls, n)
	}
	return calls, nil
}

func estimate(r racer, m mode, slice time.Duration) (int, error) {
	for n := 1; ; n *= 4 {
		took, err := r.run(m, n)
		if err != nil {
			return 0, err
		}
		if took >= slice/4 {
			return max(1, int(float64(n)*float64(slice)/float64(took))), nil
		}
		if n > math.MaxInt/8 {
			return 0, fmt.Errorf("%d calls take no time", n)
		}
	}
}

// quantile returns the q-quantile of samples, interpolated between neighbours. It sorts samples.
func quantile(samples []float64, q float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	slices.Sort(samples)
	at := q * float64(len(samples)-1)
	below := int(at)
	if below == len(samples)-1 {
		return samples[below]
	}
	share := at - float64(below)
	return samples[below]*(1-share) + samples[below+1]*share
}
