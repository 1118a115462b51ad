package main

import (
	"runtime"
	"testing"
	"time"
)

func TestTheShareOfOthersIsWhatIsBusyAndNotOurs(t *testing.T) {
	for _, test := range []struct {
		busy, own, all time.Duration
		want           float64
	}{
		{4 * time.Second, 3 * time.Second, 10 * time.Second, 0.1},
		{3 * time.Second, 3 * time.Second, 10 * time.Second, 0},
		{2 * time.Second, 3 * time.Second, 10 * time.Second, 0}, // the clocks' grains differ
		{20 * time.Second, 0, 10 * time.Second, 1},
		{1, 0, 0, 0},
	} {
		if got := share(test.busy, test.own, test.all); got != test.want {
			t.Errorf("share(%v, %v, %v) = %v, want %v", test.busy, test.own, test.all, got, test.want)
		}
	}
}

func TestNoiseIsUnknownWhereItCannotBeTold(t *testing.T) {
	if got := noiseText(0, false); got != "noise others=unknown" {
		t.Errorf("got %q", got)
	}
	if got := noiseText(0.125, true); got != "noise others=12.5%" {
		t.Errorf("got %q", got)
	}
	others, known := startNoise().others()
	if known != (runtime.GOOS == "linux") {
		t.Errorf("known is %v on %s", known, runtime.GOOS)
	}
	if others < 0 || others > 1 {
		t.Errorf("others took %v of the machine", others)
	}
}
