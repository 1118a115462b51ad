package breaker_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
)

// halfOpen returns a half-open breaker with the given number of probes, and their timeout of a minute. It must be called
// in a bubble.
func halfOpen(t *testing.T, probes int) *breaker.Breaker {
	t.Helper()
	b := must(breaker.New(breaker.Options{
		MinCalls: 1, Probes: probes, OpenFor: time.Second, MaxOpenFor: time.Second, ProbeTimeout: time.Minute,
	}))
	wantErr(t, fail(b), errDown)
	time.Sleep(time.Second)
	wantState(t, b, breaker.HalfOpen)
	return b
}

func TestExactlyProbesPermitsAreOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, 7)
		var admitted, refused atomic.Int32
		release := make(chan struct{})
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				p, err := b.Allow(context.Background())
				if err != nil {
					refused.Add(1)
					return
				}
				admitted.Add(1)
				<-release
				p.Done(nil)
			})
		}
		synctest.Wait()
		if admitted.Load() != 7 || refused.Load() != 993 || b.Stats().Probing != 7 {
			t.Errorf("%d were let out, %d refused, Stats says %d", admitted.Load(), refused.Load(), b.Stats().Probing)
		}
		close(release)
		wg.Wait()
		wantState(t, b, breaker.Closed)
	})
}

func TestACallThatComesForTheLastPlaceTooLateIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, 1)
		p := must(b.Allow(t.Context()))
		defer p.Done(nil)
		if breaker.AdmitLocked(b) {
			t.Fatal("two probes are out")
		}
	})
}

func TestALateSuccessDoesNotCloseAHalfOpenBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{MinCalls: 1, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second}))
		early := must(b.Allow(context.Background()))
		wantErr(t, fail(b), errDown)
		time.Sleep(time.Second)
		wantState(t, b, breaker.HalfOpen)
		early.Done(nil)
		wantState(t, b, breaker.HalfOpen)
		if s := b.Stats(); s.Late != 1 || s.Successes != 0 || s.WindowCalls != 0 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestALateResultFreesNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{MinCalls: 1, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second}))
		early := must(b.Allow(context.Background()))
		wantErr(t, fail(b), errDown)
		time.Sleep(time.Second)
		probe := must(b.Allow(context.Background()))
		early.Done(breaker.Ignore(errDown))
		wantErr(t, succeed(b), breaker.ErrOpen)
		probe.Done(nil)
		wantState(t, b, breaker.Closed)
	})
}

func TestALateFailureCountsNeitherForAProbeNorForAClosedBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{MinCalls: 1, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second}))
		one, two := must(b.Allow(context.Background())), must(b.Allow(context.Background()))
		wantErr(t, fail(b), errDown)
		time.Sleep(time.Second)
		wantState(t, b, breaker.HalfOpen)
		one.Done(errDown)
		wantState(t, b, breaker.HalfOpen)
		wantErr(t, succeed(b), nil)
		two.Done(errDown)
		wantState(t, b, breaker.Closed)
		two.Amend(errDown)
		if s := b.Stats(); s.Late != 2 || s.Failures != 1 || s.WindowCalls != 0 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestALateProbeOfAnEarlierHalfOpenCountsNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, 2)
		hung := must(b.Allow(context.Background()))
		wantErr(t, fail(b), errDown) // half of the probes failed
		wantState(t, b, breaker.Open)
		time.Sleep(time.Second)
		wantState(t, b, breaker.HalfOpen)
		hung.Done(nil)
		hung.Amend(errDown)
		if s := b.Stats(); s.State != breaker.HalfOpen || s.WindowCalls != 0 || s.Late != 1 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestAHungProbeIsAFailureAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, 1)
		hung := must(b.Allow(context.Background()))
		time.Sleep(time.Minute - 1)
		wantErr(t, succeed(b), breaker.ErrOpen)
		wantState(t, b, breaker.HalfOpen)
		time.Sleep(1)
		wantState(t, b, breaker.Open)
		if s := b.Stats(); s.Failures != 2 {
			t.Fatalf("%+v", s)
		}
		hung.Done(nil)
		time.Sleep(time.Second)
		wantState(t, b, breaker.HalfOpen)
		wantErr(t, succeed(b), nil)
		wantState(t, b, breaker.Closed)
		if s := b.Stats(); s.Late != 1 || s.Successes != 1 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestTheCallAfterAHungProbeGetsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{
			MinCalls: 1, FailureRatio: 0.5, Probes: 3, OpenFor: time.Second, MaxOpenFor: time.Second, ProbeTimeout: time.Minute,
		}))
		wantErr(t, fail(b), errDown)
		time.Sleep(time.Second)
		hung := must(b.Allow(context.Background()))
		time.Sleep(time.Minute) // one of three failed
		var probes [3]breaker.Permit
		for i := range probes {
			probes[i] = must(b.Allow(context.Background()))
		}
		wantErr(t, succeed(b), breaker.ErrOpen)
		hung.Done(nil) // its place is another's
		hung.Amend(errDown)
		wantErr(t, succeed(b), breaker.ErrOpen)
		probes[0].Done(nil)
		probes[1].Done(nil)
		wantState(t, b, breaker.Closed)
	})
}

func TestProbesThatHangWhileNobodyCallsAreDatedBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []breaker.Transition
		start := time.Now()
		b := must(breaker.New(breaker.Options{
			MinCalls: 1, Probes: 2, OpenFor: time.Second, MaxOpenFor: time.Second, ProbeTimeout: time.Minute,
			OnStateChange: func(t breaker.Transition) { seen = append(seen, t) },
		}))
		wantErr(t, fail(b), errDown)
		time.Sleep(time.Second)
		abandoned := must(b.Allow(context.Background()))
		time.Sleep(time.Hour)
		wantState(t, b, breaker.HalfOpen) // the probe hung until 1m1s, the opening until 1m2s
		want := []struct {
			at time.Duration
			to breaker.State
		}{{0, breaker.Open}, {time.Second, breaker.HalfOpen}, {61 * time.Second, breaker.Open}, {62 * time.Second, breaker.HalfOpen}}
		if len(seen) != len(want) {
			t.Fatalf("%d transitions: %v", len(seen), seen)
		}
		for i, w := range want {
			if at := seen[i].At.Sub(start); at != w.at || seen[i].To != w.to || seen[i].Generation != uint64(i+1) {
				t.Errorf("transition %d to %v at %v, want to %v at %v", seen[i].Generation, seen[i].To, at, w.to, w.at)
			}
		}
		abandoned.Done(nil)
	})
}

func TestAnIgnoredProbeGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, 1)
		for range 10 {
			err := b.Do(context.Background(), func(context.Context) error { return breaker.Ignore(errDown) })
			wantErr(t, err, errDown)
			wantState(t, b, breaker.HalfOpen)
		}
		wantErr(t, succeed(b), nil)
		wantState(t, b, breaker.Closed)
	})
}

func TestAPanicIsAFailureAndGivesTheProbesPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, 3)
		func() {
			defer func() {
				if recover() != "boom" {
					t.Error("the panic did not reach the caller")
				}
			}()
			_ = b.Do(context.Background(), func(context.Context) error { panic("boom") })
		}()
		if s := b.Stats(); s.Probing != 0 || s.WindowFailures != 1 || s.Failures != 2 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestAGoexitIsAFailureAndGivesTheProbesPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, 3)
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = b.Do(context.Background(), func(context.Context) error { runtime.Goexit(); return nil })
		})
		wg.Wait()
		if s := b.Stats(); s.Probing != 0 || s.WindowFailures != 1 {
			t.Fatalf("%+v", s)
		}
		wg.Go(func() {
			_, _ = breaker.DoValue(context.Background(), b, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
		})
		wg.Wait()
		if s := b.Stats(); s.State != breaker.Open || s.Failures != 3 { // 2 of 3 probes failed
			t.Fatalf("%+v", s)
		}
	})
}

func TestProbesDecideByTheSameRatio(t *testing.T) {
	tests := []struct {
		name    string
		results []bool
		want    breaker.State
	}{
		{"all good", []bool{true, true, true, true, true}, breaker.Closed},
		{"two of five failed", []bool{false, true, true, false, true}, breaker.Closed},
		{"three of five failed", []bool{true, true, false, false, false}, breaker.Open},
		{"as soon as it is settled", []bool{false, false, false}, breaker.Open},
		{"not before all have come", []bool{true, true, true, true}, breaker.HalfOpen},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := halfOpen(t, 5)
				for _, ok := range tt.results {
					if ok {
						wantErr(t, succeed(b), nil)
					} else {
						wantErr(t, fail(b), errDown)
					}
				}
				wantState(t, b, tt.want)
			})
		})
	}
}

func TestAnAmendedProbeIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, 2)
		p := must(b.Allow(context.Background()))
		p.Done(nil)
		p.Amend(errDown)
		if s := b.Stats(); s.State != breaker.Open || s.Successes != 0 || s.Failures != 2 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestWhoeverFindsAllProbesOutIsToldToComeWhenOneIsSurelyBack(t *testing.T) {
	for _, o := range []breaker.Options{{OpenFor: 2 * time.Second, ProbeTimeout: time.Minute}, {OpenFor: time.Minute, ProbeTimeout: 2 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			o.MinCalls, o.Probes, o.MaxOpenFor = 1, 1, o.OpenFor
			b := must(breaker.New(o))
			wantErr(t, fail(b), errDown)
			time.Sleep(o.OpenFor)
			probe := must(b.Allow(t.Context()))
			defer probe.Done(nil)
			open, ok := errors.AsType[*breaker.OpenError](succeed(b))
			if !ok || open.State != breaker.HalfOpen || open.RetryAfter() != 2*time.Second {
				t.Errorf("OpenFor %v, ProbeTimeout %v: %+v", o.OpenFor, o.ProbeTimeout, open)
			}
		})
	}
}
