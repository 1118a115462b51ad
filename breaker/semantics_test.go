package breaker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
)

// lag makes a call that succeeds, and lasts as long as a slow one.
func lag(b *breaker.Breaker) error {
	return b.Do(context.Background(), func(context.Context) error { time.Sleep(slowCall); return nil })
}

func TestInAWindowOverCallsEachEvictsTheOldest(t *testing.T) {
	b := must(breaker.New(breaker.Options{Window: breaker.LastCalls(4), MinCalls: 4, FailureRatio: 0.75}))
	for i, call := range []func(*breaker.Breaker) error{fail, fail, succeed, succeed, succeed, succeed, fail, fail} {
		_ = call(b)
		want := []int64{1, 2, 2, 2, 1, 0, 1, 2}[i]
		if s := b.Stats(); s.State != breaker.Closed || s.WindowFailures != want || s.WindowCalls != min(int64(i+1), 4) {
			t.Fatalf("after call %d the window should hold %d failures: %+v", i+1, want, s)
		}
	}
	wantErr(t, fail(b), errDown) // three of the last four
	wantState(t, b, breaker.Open)
	if s := b.Stats(); s.Failures != 5 || s.Successes != 4 {
		t.Errorf("the totals do not hold what was evicted: %+v", s)
	}
}

func TestAWindowOverCallsKeepsThemHoweverLongAgoTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{Window: breaker.LastCalls(3)}))
		for range 2 {
			wantErr(t, fail(b), errDown)
			time.Sleep(30 * 24 * time.Hour)
		}
		wantState(t, b, breaker.Closed)
		wantErr(t, succeed(b), nil) // MinCalls are there, and two thirds have failed
		wantState(t, b, breaker.Open)
	})
}

func TestATenthOfAWindowOverATimeLeavesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{Window: breaker.Last(10 * time.Second), MinCalls: 100}))
		wantErr(t, succeed(b), nil)
		time.Sleep(999 * time.Millisecond)
		wantErr(t, fail(b), errDown) // the last moment of the same second
		time.Sleep(time.Millisecond)
		wantErr(t, succeed(b), nil) // the next second
		time.Sleep(9*time.Second - 1)
		if s := b.Stats(); s.WindowCalls != 3 {
			t.Fatalf("before the tenth leaves: %+v", s)
		}
		time.Sleep(1)
		if s := b.Stats(); s.WindowCalls != 1 || s.WindowFailures != 0 {
			t.Fatalf("the first second should have left as one: %+v", s)
		}
	})
}

func TestARatioOfOneTripsOnlyWhenNoCallOfTheWindowIsOtherwise(t *testing.T) {
	bad := map[string]struct {
		o    breaker.Options
		call func(*breaker.Breaker) error
	}{
		"failures": {breaker.Options{FailureRatio: 1}, fail},
		"slow":     {breaker.Options{FailureRatio: 1, SlowCall: slowCall, SlowRatio: 1}, lag},
		"default":  {breaker.Options{FailureRatio: 1, SlowCall: slowCall}, lag},
	}
	for name, tt := range bad {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.o.Window, tt.o.MinCalls = breaker.LastCalls(4), 3
				b := must(breaker.New(tt.o))
				wantErr(t, succeed(b), nil)
				for range 3 {
					wantState(t, b, breaker.Closed)
					_ = tt.call(b)
				}
				wantState(t, b, breaker.Closed) // three of four
				_ = tt.call(b)                  // the success has been evicted
				wantState(t, b, breaker.Open)
			})
		})
	}
}

func TestASlowFailureCountsForBothRatios(t *testing.T) {
	both := func(b *breaker.Breaker) {
		_ = b.Do(context.Background(), func(context.Context) error { time.Sleep(slowCall); return errDown })
	}
	for name, o := range map[string]breaker.Options{
		"failure": {FailureRatio: 0.5, SlowRatio: 1}, "slow": {FailureRatio: 1, SlowRatio: 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			inEachWindow(t, func(t *testing.T, w breaker.Window) {
				o.Window, o.MinCalls, o.SlowCall = w, 4, slowCall
				b := must(breaker.New(o))
				both(b)
				wantErr(t, succeed(b), nil)
				wantErr(t, succeed(b), nil)
				wantState(t, b, breaker.Closed)
				both(b)
				wantState(t, b, breaker.Open)
				wantCounts(t, b, 2, 0, 2) // each call once: as slow
			})
		})
	}
}
