package breaker_test

import (
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
)

// ramping returns a breaker that has just closed and ramps for 10 s. It must be called in a bubble.
func ramping(t *testing.T, o breaker.Options) *breaker.Breaker {
	t.Helper()
	o.Ramp, o.Probes, o.OpenFor = 10*time.Second, 1, time.Second
	if o.MaxOpenFor == 0 {
		o.MaxOpenFor = time.Second
	}
	if o.MinCalls == 0 {
		o.MinCalls = 1
	}
	b := must(breaker.New(o))
	for b.State() == breaker.Closed {
		wantErr(t, fail(b), errDown)
	}
	time.Sleep(b.Stats().RetryAfter)
	wantErr(t, succeed(b), nil)
	wantState(t, b, breaker.Closed)
	return b
}

// through returns how many of n calls a breaker lets through.
func through(b *breaker.Breaker, n int) (admitted int) {
	for range n {
		if succeed(b) == nil {
			admitted++
		}
	}
	return admitted
}

func TestTheShareOfARampGrowsEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Options{})
		for second, share := range []float64{0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1} {
			if got := through(b, 1000); math.Abs(float64(got)-1000*share) > 2 { // 1/1024 less, and one call
				t.Errorf("%d of 1000 calls went through after %d s, want %v", got, second, share)
			}
			if s := b.Stats(); math.Abs(s.Share-share) > 0.001 || s.State != breaker.Closed {
				t.Errorf("%v after %d s, want %v: %+v", s.Share, second, share, s)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestARampTakesCallsInTurnAndTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Options{})
		time.Sleep(2500 * time.Millisecond)
		for i := range 100 {
			if admitted := succeed(b) == nil; admitted != (i%4 == 0) {
				t.Fatalf("call %d of a ramp at a quarter was let through: %v", i, admitted)
			}
		}
	})
}

func TestARampSpreadsConcurrentCallsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Options{})
		time.Sleep(5 * time.Second)
		var admitted atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { admitted.Add(int64(through(b, 20))) })
		}
		wg.Wait()
		if admitted.Load() != 1000 {
			t.Errorf("%d of 2000 calls went through at a half", admitted.Load())
		}
	})
}

func TestARefusalOfARampSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Options{Name: "users"})
		wantErr(t, succeed(b), nil)
		err := succeed(b)
		open, ok := errors.AsType[*breaker.OpenError](err)
		if !ok || !errors.Is(err, breaker.ErrOpen) || !open.Refused() || open.State != breaker.Closed || open.Forced {
			t.Fatalf("refused with %+v", err)
		}
		if open.RetryAfter() != time.Second || !strings.Contains(err.Error(), `"users" has just closed`) {
			t.Errorf("RetryAfter %v of %q", open.RetryAfter(), err)
		}
		time.Sleep(9900 * time.Millisecond)
		if open.RetryAfter() != 100*time.Millisecond {
			t.Errorf("RetryAfter %v just before the end", open.RetryAfter())
		}
	})
}

func TestABreakerThatFailsInItsRampOpensForLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Options{MaxOpenFor: time.Minute})
		wantErr(t, fail(b), errDown)
		if s := b.Stats(); s.State != breaker.Open || s.RetryAfter < 2*time.Second {
			t.Fatalf("%+v", s)
		}
		b = ramping(t, breaker.Options{MaxOpenFor: time.Minute})
		p := must(b.Allow(t.Context()))
		time.Sleep(10 * time.Second)
		p.Done(errDown) // nobody looked since the ramp's end
		if s := b.Stats(); s.State != breaker.Open || s.RetryAfter > 1500*time.Millisecond {
			t.Fatalf("%+v", s)
		}
	})
}

func TestPermitsOutlastARampsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Options{MinCalls: 100})
		p := must(b.Allow(t.Context()))
		time.Sleep(10 * time.Second)
		if got := through(b, 100); got != 100 {
			t.Errorf("%d of 100 calls went through after the ramp", got)
		}
		p.Done(errDown)
		if s := b.Stats(); s.WindowFailures != 1 || s.Late != 0 || s.Share != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestTheFirstCallAfterARampEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Options{})
		time.Sleep(10*time.Second - 1)
		through(b, 10)
		if breaker.Plain(b) {
			t.Fatal("the ramp has ended before its time")
		}
		time.Sleep(1)
		wantErr(t, succeed(b), nil)
		if !breaker.Plain(b) {
			t.Fatal("calls after the ramp still take a second look")
		}
	})
}

func TestLeavingForcedOpenRamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{Ramp: 10 * time.Second, Mode: breaker.ForcedOpen}))
		b.SetMode(breaker.Normal)
		if got := through(b, 100); got != 10 {
			t.Errorf("%d of 100 calls went through", got)
		}
		b.SetMode(breaker.ForcedClosed)
		b.SetMode(breaker.Normal)
		if got := through(b, 100); got != 100 {
			t.Errorf("%d of 100 calls went through after ForcedClosed ended the ramp", got)
		}
	})
}

func TestAnObservingBreakerTellsWhatARampWouldRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ramping(t, breaker.Options{})
		b.SetMode(breaker.Observe)
		if got, s := through(b, 100), b.Stats(); got != 100 || s.Spared != 90 || s.Refused != 0 {
			t.Errorf("%d of 100 calls went through: %+v", got, s)
		}
	})
}
