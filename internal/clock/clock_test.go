package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/clock"
)

func TestClockStartsAtZeroAndFollowsTimeInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		if got := c.Now(); got != 0 {
			t.Fatalf("a new clock shows %d, want 0", got)
		}
		time.Sleep(24 * time.Hour)
		if got, want := c.Now(), int64(24*time.Hour); got != want {
			t.Fatalf("after a day the clock shows %d, want %d", got, want)
		}
	})
}

func TestAtAndTimeAreInverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		at := time.Now().Add(-time.Minute)
		if got := c.At(at); got != -int64(time.Minute) {
			t.Fatalf("At(a minute ago) = %d", got)
		}
		if got := c.Time(c.At(at)); !got.Equal(at) {
			t.Fatalf("Time(At(t)) = %v, want %v", got, at)
		}
	})
}

func TestNowAllocatesNothing(t *testing.T) {
	c := clock.New()
	var sink int64
	if n := testing.AllocsPerRun(1000, func() { sink += c.Now() }); n != 0 {
		t.Fatalf("Now allocates %v times", n)
	}
}
