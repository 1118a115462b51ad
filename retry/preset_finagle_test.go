package retry_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

func TestFinaglesBudgetStepByStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := retry.FinagleBudget()
		p, _ := preset(t, b, err)
		ok, down := []error{nil}, []error{errDown, errDown}
		walk(t, p, b, []step{
			{"a call deposits a fifth beside the reserve of 100", ok, 1, 100.2},
			{"a failing one too, and its retry withdraws 1", down, 2, 99.4},
		})
		time.Sleep(5 * time.Second)
		walk(t, p, b, []step{{"half a window later nothing is forgotten", ok, 1, 99.6}})
		time.Sleep(4 * time.Second)
		walk(t, p, b, []step{{"nor after 9 s", ok, 1, 99.8}})
		time.Sleep(time.Second)
		walk(t, p, b, []step{{"the first two calls and their retry are, after 10 s", ok, 1, 100.6}})
		time.Sleep(time.Hour)
		walk(t, p, b, []step{{"and all after an hour", ok, 1, 100.2}})
		if s := b.Stats(); s.Calls != 6 || s.Spent != 1 || s.Refused != 0 || s.Name != "finagle" {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestFinaglesReserveAndAFifthOfTheCallsIsAllInOneWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := retry.FinagleBudget()
		p, _ := preset(t, b, err)
		if got := failN(t, p, 200); got != 200+100+200/5 {
			t.Errorf("200 calls made %d attempts, want 340", got)
		}
		time.Sleep(9 * time.Second)
		if got := failN(t, p, 5); got != 5+1 {
			t.Errorf("5 calls in the same window made %d attempts, want 6", got)
		}
		time.Sleep(time.Second)
		// The 200 calls and 140 retries are forgotten. The 5 calls of a second ago and their retry are not.
		if got := failN(t, p, 200); got != 200+100+200/5 {
			t.Errorf("200 calls in the next window made %d attempts, want 340", got)
		}
	})
}

func TestFinaglesReserveIsTenPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := retry.FinagleBudget()
		p, _ := preset(t, b, err)
		for second := range 60 {
			if got := failN(t, p, 10); got != 20 {
				t.Fatalf("second %d: 10 calls made %d attempts, want 20", second, got)
			}
			time.Sleep(time.Second)
		}
		attempts := 0
		for range 60 {
			attempts += failN(t, p, 50)
			time.Sleep(time.Second)
		}
		// 6 windows with 500 calls each: the reserve of 100, and a fifth of the calls.
		if retries := attempts - 3000; retries < 6*200-100 || retries > 6*200 {
			t.Errorf("%d retries in a minute of 50 failing calls per second, want about 1200", retries)
		}
	})
}
