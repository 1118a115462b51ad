package clock_test

import (
	"testing"
	"time"

	"github.com/joist-go/joist/internal/clock"
)

func TestAnAverageBeginsWithItsFirstDurationAndMovesAnEighth(t *testing.T) {
	var a clock.Average
	if got := a.Get(); got != 0 {
		t.Fatalf("before the first: %v", got)
	}
	a.Add(800 * time.Millisecond)
	if got := a.Get(); got != 800*time.Millisecond {
		t.Fatalf("after the first: %v", got)
	}
	a.Add(0)
	if got := a.Get(); got < 700*time.Millisecond || got > 700*time.Millisecond+1 {
		t.Fatalf("an eighth towards 0: %v", got)
	}
}

func TestAnAverageIsPositiveOnceItKnowsADuration(t *testing.T) {
	var a clock.Average
	for _, d := range []time.Duration{-time.Hour, 0, 5, -time.Hour, -time.Hour} {
		if a.Add(d); a.Get() < 1 {
			t.Fatalf("after %v: %v", d, a.Get())
		}
	}
}
