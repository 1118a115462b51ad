package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
)

// The words of a window hold 16 bits of the generation, and these come again. A permit holds all of it.
func TestALateResultCountsNowhereThoughTheTagOfItsGenerationCameAgain(t *testing.T) {
	for _, slowCall := range []time.Duration{0, time.Second} {
		t.Run(slowCall.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// One of a Keyed has fewer words to empty at each change.
				b := newKeyed(t, breaker.KeyedOptions[string]{Options: breaker.Options{SlowCall: slowCall}}).For("a")
				late := hang(t, b, 2)
				time.Sleep(time.Millisecond)
				for range 1 << 15 { // each time there and back
					b.SetMode(breaker.ForcedOpen)
					b.SetMode(breaker.Normal)
				}
				time.Sleep(10 * time.Second)
				late[0].Done(nil)
				late[1].Done(errDown)
				if s := wantCounts(t, b, 0, 0, 0); s.Late != 2 || s.WindowCalls != 0 {
					t.Fatalf("%+v", s)
				}
			})
		})
	}
}
