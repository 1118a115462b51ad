package main

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"
)

// fake is a racer whose calls take a given time each, or fail.
type fake struct {
	perCall time.Duration
	allocd  float64
	err     error
	started func()
}

func (f *fake) run(_ mode, n int) (time.Duration, error) {
	if f.started != nil {
		f.started()
	}
	return time.Duration(n) * f.perCall, f.err
}

func (f *fake) allocs() (float64, error) { return f.allocd, f.err }

func TestQuantilesLieBetweenTheSortedSamples(t *testing.T) {
	for _, test := range []struct {
		samples []float64
		q, want float64
	}{
		{[]float64{3}, 0.5, 3},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{5, 1, 4, 2, 3}, 0.25, 2},
		{[]float64{5, 1, 4, 2, 3}, 0.75, 4},
		{[]float64{5, 1}, 1, 5},
		{[]float64{5, 1}, 0, 1},
	} {
		if got := quantile(slices.Clone(test.samples), test.q); got != test.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", test.samples, test.q, got, test.want)
		}
	}
	if got := quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v, want NaN", got)
	}
}

func TestOneDisturbedRoundDoesNotMoveTheMedian(t *testing.T) {
	samples := []float64{10, 11, 9, 10, 10_000}
	if got := quantile(samples, 0.5); got != 10 {
		t.Errorf("median %v, want 10", got)
	}
}

func TestRacersTakeTurnsInAnOrderThatRotates(t *testing.T) {
	var order []int
	racers := make([]racer, 3)
	counting := false
	for i := range racers {
		racers[i] = &fake{perCall: time.Microsecond, started: func() {
			if counting {
				order = append(order, i)
			}
		}}
	}
	for _, r := range racers { // what calibration does, so that only the rounds are left to count
		if _, err := calibrate(r, serial, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	counting = true
	between := 0
	figures, err := race(t.Context(), plan{rounds: 3, slice: time.Millisecond}, serial, racers, func() { between++ })
	if err != nil {
		t.Fatal(err)
	}
	rounds := order[len(order)-9:]
	if want := []int{0, 1, 2, 1, 2, 0, 2, 0, 1}; !slices.Equal(rounds, want) {
		t.Errorf("the turns were %v, want %v", rounds, want)
	}
	for i, f := range figures {
		if f.NS != 1000 || f.Q1 != 1000 || f.Q3 != 1000 {
			t.Errorf("racer %d took %v (%v to %v) ns, want 1000", i, f.NS, f.Q1, f.Q3)
		}
	}
	if between == 0 {
		t.Error("nothing was collected between the rounds")
	}
}

func TestFiguresComeInTheOrderOfTheirRacers(t *testing.T) {
	racers := []racer{&fake{perCall: 3, allocd: 1}, &fake{perCall: 7, allocd: 2}, &fake{perCall: 5}}
	figures, err := race(t.Context(), plan{rounds: 5, slice: time.Millisecond}, parallel, racers, func() {})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []figure{{NS: 3, Allocs: 1}, {NS: 7, Allocs: 2}, {NS: 5}} {
		if figures[i].NS != want.NS || figures[i].Allocs != want.Allocs {
			t.Errorf("racer %d: %v ns, %v allocs, want %v and %v", i, figures[i].NS, figures[i].Allocs, want.NS, want.Allocs)
		}
	}
}

func TestCalibrationFillsTheSlice(t *testing.T) {
	for _, perCall := range []time.Duration{1, 70, time.Microsecond, 3 * time.Millisecond, time.Minute} {
		const slice = 6 * time.Millisecond
		n, err := calibrate(&fake{perCall: perCall}, serial, slice)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Duration(n) * perCall; n > 1 && (took > slice || took < slice*9/10) {
			t.Errorf("%d calls of %v take %v, want about %v", n, perCall, took, slice)
		}
	}
}

func TestWorkThatTakesNoTimeAtAllIsAnError(t *testing.T) {
	if n, err := calibrate(&fake{}, serial, time.Millisecond); err == nil {
		t.Errorf("calibrated to %d calls, want an error", n)
	}
}

func TestARacersErrorEndsTheRace(t *testing.T) {
	broken := errors.New("broken")
	_, err := race(t.Context(), plan{rounds: 1, slice: time.Millisecond}, serial, []racer{&fake{perCall: 1}, &fake{err: broken}}, func() {})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the racer's error", err)
	}
}

func TestARaceEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	turns := 0
	stopper := &fake{perCall: time.Microsecond, started: func() {
		if turns++; turns == 1000 {
			cancel()
		}
	}}
	_, err := race(ctx, plan{rounds: 1_000_000_000, slice: time.Millisecond}, serial, []racer{stopper}, func() {})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestAStretchedPlanTakesAsLongButNeverTooFewRounds(t *testing.T) {
	p := plan{rounds: 300, slice: time.Millisecond}
	for _, test := range []struct {
		times int
		want  plan
	}{
		{0, p},
		{1, p},
		{10, plan{rounds: 30, slice: 10 * time.Millisecond}},
		{1000, plan{rounds: fewestRounds, slice: time.Second}},
	} {
		if got := p.stretched(test.times); got != test.want {
			t.Errorf("stretched %d times it is %v, want %v", test.times, got, test.want)
		}
	}
}
