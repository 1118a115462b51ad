package breaker_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
)

func TestABreakerOpensRefusesProbesAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{MinCalls: 4, Probes: 2, OpenFor: 5 * time.Second, MaxOpenFor: 5 * time.Second}))
		for range 2 {
			wantErr(t, succeed(b), nil)
			wantErr(t, fail(b), errDown)
		}
		wantState(t, b, breaker.Open)
		wantErr(t, succeed(b), breaker.ErrOpen)
		time.Sleep(5*time.Second - 1)
		wantErr(t, succeed(b), breaker.ErrOpen)
		time.Sleep(1)
		wantState(t, b, breaker.HalfOpen)
		wantErr(t, succeed(b), nil)
		wantState(t, b, breaker.HalfOpen)
		wantErr(t, succeed(b), nil)
		wantState(t, b, breaker.Closed)
	})
}

func TestNothingTripsBelowMinCalls(t *testing.T) {
	b := must(breaker.New(breaker.Options{MinCalls: 10}))
	for range 9 {
		wantErr(t, fail(b), errDown)
	}
	wantState(t, b, breaker.Closed)
	wantErr(t, fail(b), errDown)
	wantState(t, b, breaker.Open)
}

func TestASuccessThatReachesMinCallsTrips(t *testing.T) {
	b := must(breaker.New(breaker.Options{MinCalls: 10}))
	for range 9 {
		wantErr(t, fail(b), errDown)
	}
	wantErr(t, succeed(b), nil)
	wantState(t, b, breaker.Open)
}

func TestARatioOfOneTripsWhenEveryCallFails(t *testing.T) {
	b := must(breaker.New(breaker.Options{MinCalls: 3, FailureRatio: 1}))
	for range 3 {
		wantErr(t, fail(b), errDown)
	}
	wantState(t, b, breaker.Open)

	b = must(breaker.New(breaker.Options{MinCalls: 3, FailureRatio: 1}))
	wantErr(t, succeed(b), nil)
	for range 100 {
		wantErr(t, fail(b), errDown)
	}
	wantState(t, b, breaker.Closed)
}

func TestTheExactRatioTrips(t *testing.T) {
	for _, ratio := range []float64{0.1, 0.3, 0.7} { // none of them is a binary fraction
		b := must(breaker.New(breaker.Options{MinCalls: 10, FailureRatio: ratio}))
		failures := int(ratio*10 + 0.5)
		for range failures {
			wantErr(t, fail(b), errDown)
		}
		for range 10 - failures - 1 {
			wantErr(t, succeed(b), nil)
		}
		wantState(t, b, breaker.Closed)
		wantErr(t, succeed(b), nil)
		wantState(t, b, breaker.Open)
	}
}

func TestOutcomesLeaveTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{Window: breaker.Last(10 * time.Second), MinCalls: 4}))
		for range 3 {
			wantErr(t, fail(b), errDown)
		}
		time.Sleep(9*time.Second + 999*time.Millisecond)
		if s := b.Stats(); s.WindowCalls != 3 || s.WindowFailures != 3 || s.FailureRatio != 1 {
			t.Fatalf("just before the window ends: %+v", s)
		}
		time.Sleep(time.Millisecond)
		if s := b.Stats(); s.WindowCalls != 0 || s.FailureRatio != 0 {
			t.Fatalf("after the window: %+v", s)
		}
		wantErr(t, fail(b), errDown)
		wantState(t, b, breaker.Closed)
		if s := b.Stats(); s.Failures != 4 || s.WindowCalls != 1 {
			t.Fatalf("the totals do not hold what left the window: %+v", s)
		}
	})
}

func TestAFailureThatWasOutweighedTripsWhenTheSuccessesHaveLeftTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{Window: breaker.Last(10 * time.Second), MinCalls: 4}))
		for range 100 {
			wantErr(t, succeed(b), nil)
		}
		time.Sleep(5 * time.Second)
		for range 4 {
			wantErr(t, fail(b), errDown)
		}
		wantErr(t, succeed(b), nil)
		wantState(t, b, breaker.Closed)
		time.Sleep(5 * time.Second) // 4 failures and 1 success are left
		wantErr(t, succeed(b), nil)
		wantState(t, b, breaker.Open)
	})
}

func TestAnEndedContextIsReturnedAndCountsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := must(breaker.New(breaker.Options{MinCalls: 1}))
	never := func(context.Context) error { t.Error("called"); return nil }
	wantErr(t, b.Do(ctx, never), context.Canceled)
	_, err := breaker.DoValue(ctx, b, func(ctx context.Context) (int, error) { return 1, never(ctx) })
	wantErr(t, err, context.Canceled)
	_, err = b.Allow(ctx)
	wantErr(t, err, context.Canceled)
	wantErr(t, fail(b), errDown)
	wantErr(t, b.Do(ctx, never), context.Canceled) // open, but there is no call to refuse
	if s := b.Stats(); s.Successes != 0 || s.Failures != 1 || s.Ignored != 0 || s.Refused != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestDoValueReturnsWhatTheFunctionDid(t *testing.T) {
	b := must(breaker.New(breaker.Options{MinCalls: 1}))
	v, err := breaker.DoValue(context.Background(), b, func(context.Context) (int, error) { return 7, errDown })
	if v != 7 || err != errDown {
		t.Fatalf("%d, %v", v, err)
	}
	v, err = breaker.DoValue(context.Background(), b, func(context.Context) (int, error) { return 8, nil })
	if v != 0 {
		t.Fatalf("a refusal returned %d", v)
	}
	wantErr(t, err, breaker.ErrOpen)
}

func TestASecondDoneIsIgnored(t *testing.T) {
	b := must(breaker.New(breaker.Options{}))
	p := must(b.Allow(context.Background()))
	p.Done(nil)
	p.Done(errDown)
	p.Done(nil)
	var zero breaker.Permit
	zero.Done(errDown)
	zero.Amend(errDown)
	if s := b.Stats(); s.Successes != 1 || s.Failures != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestAnAmendedCallIsOneFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{MinCalls: 2, Window: breaker.Last(time.Second)}))
		wantErr(t, succeed(b), nil)
		p := must(b.Allow(context.Background()))
		p.Amend(errDown) // not done yet
		p.Done(nil)
		time.Sleep(300 * time.Millisecond)
		p.Amend(nil)
		p.Amend(breaker.Ignore(errDown))
		if s := b.Stats(); s.WindowCalls != 2 || s.WindowFailures != 0 {
			t.Fatalf("amended to no failure: %+v", s)
		}
		p.Amend(errDown)
		p.Amend(errDown)
		if s := b.Stats(); s.Successes != 1 || s.Failures != 1 || s.State != breaker.Open {
			t.Fatalf("%+v", s)
		}
	})
}

func TestAnAmendmentOfACallThatLeftTheWindowIsOneMoreFailureInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{Window: breaker.Last(time.Second)}))
		p := must(b.Allow(context.Background()))
		p.Done(nil)
		time.Sleep(time.Minute)
		p.Amend(errDown)
		if s := b.Stats(); s.Successes != 0 || s.Failures != 1 || s.WindowCalls != 1 || s.WindowFailures != 1 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestABreakerMadeInTheFutureOfItsUserStillWorks(t *testing.T) {
	b := must(breaker.New(breaker.Options{MinCalls: 2})) // in a bubble, time is decades before this
	synctest.Test(t, func(t *testing.T) {
		for range 2 {
			wantErr(t, fail(b), errDown)
		}
		wantState(t, b, breaker.Open)
		time.Sleep(time.Hour)
		wantState(t, b, breaker.HalfOpen)
	})
}

func TestTimesWithoutEndDoNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const year = 365 * 24 * time.Hour
		b := must(breaker.New(breaker.Options{MinCalls: 1, OpenFor: math.MaxInt64}))
		wantErr(t, fail(b), errDown)
		time.Sleep(100 * year)
		wantState(t, b, breaker.Open)
		wantErr(t, succeed(b), breaker.ErrOpen)

		b = must(breaker.New(breaker.Options{MinCalls: 1, OpenFor: 1, MaxOpenFor: 1, Probes: 1, ProbeTimeout: math.MaxInt64}))
		wantErr(t, fail(b), errDown)
		time.Sleep(1)
		probe := must(b.Allow(t.Context()))
		time.Sleep(100 * year)
		wantErr(t, succeed(b), breaker.ErrOpen)
		probe.Done(nil)
		wantState(t, b, breaker.Closed)
	})
}
