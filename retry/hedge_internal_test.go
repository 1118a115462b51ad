package retry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Select chooses by chance among what is ready, so each case is asked often.
func TestAnAnswerThatIsThereComesBeforeAHedgeAndTheCallersLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			ctx, leave := context.WithCancel(t.Context())
			r := newRace[int](ctx, p, nil)
			r.answers <- answer[int]{v: 1}
			r.timer.Reset(time.Millisecond)
			time.Sleep(time.Second) // the timer has gone off
			if a, answered := r.await(); !answered || a.v != 1 {
				t.Fatal("the answer was passed over for the next hedge")
			}
			r.answers <- answer[int]{v: 2}
			leave()
			if a, answered := r.await(); !answered || a.v != 2 {
				t.Fatal("the answer was lost since the caller left")
			}
			if _, answered := r.await(); answered {
				t.Fatal("there is an answer that nobody gave")
			}
			r.leave()
		}
	})
}
