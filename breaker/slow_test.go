package breaker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
)

const slowCall = 2 * time.Second

// windows are one of each kind.
var windows = []breaker.Window{breaker.Last(10 * time.Second), breaker.LastCalls(20)}

// inEachWindow runs a test in virtual time, for each kind of window.
func inEachWindow(t *testing.T, test func(t *testing.T, w breaker.Window)) {
	for _, w := range windows {
		t.Run(w.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, w) })
		})
	}
}

// hang begins n calls that do not end.
func hang(t *testing.T, b *breaker.Breaker, n int) []*breaker.Permit {
	t.Helper()
	var permits []*breaker.Permit
	for range n {
		p := new(breaker.Permit)
		var err error
		if *p, err = b.Allow(t.Context()); err != nil {
			t.Fatal(err)
		}
		permits = append(permits, p)
	}
	return permits
}

func wantCounts(t *testing.T, b *breaker.Breaker, successes, failures, slow int64) breaker.Stats {
	t.Helper()
	s := b.Stats()
	if s.Successes != successes || s.Failures != failures || s.Slow != slow {
		t.Fatalf("%d successes, %d failures, %d slow, want %d, %d, %d: %+v", s.Successes, s.Failures, s.Slow, successes, failures, slow, s)
	}
	return s
}

func TestADependencyThatOnlyHangsOpensTheBreaker(t *testing.T) {
	looks := map[string]func(b *breaker.Breaker) bool{ // whether the breaker is open
		"the next call": func(b *breaker.Breaker) bool { return succeed(b) != nil },
		"State":         func(b *breaker.Breaker) bool { return b.State() == breaker.Open },
		"Stats":         func(b *breaker.Breaker) bool { return b.Stats().State == breaker.Open },
	}
	for name, look := range looks {
		t.Run(name, func(t *testing.T) {
			inEachWindow(t, func(t *testing.T, w breaker.Window) {
				var told breaker.Transition
				b := must(breaker.New(breaker.Options{
					Window: w, MinCalls: 5, SlowCall: slowCall, SlowRatio: 0.8,
					OnStateChange: func(tr breaker.Transition) { told = tr },
				}))
				begun := time.Now()
				permits := hang(t, b, 5)
				time.Sleep(slowCall*8/7 - 1)
				for range 2 { // nothing hangs longer because somebody looks
					if b.State() != breaker.Closed {
						t.Fatal("open before the calls have hung")
					}
				}
				time.Sleep(time.Second)
				if !look(b) {
					t.Fatal("not open")
				}
				if at := told.At.Sub(begun); at < slowCall || at > slowCall*8/7+8 {
					t.Errorf("opened after %v", at)
				}
				if told.SlowRatio != 1 || told.FailureRatio != 0 {
					t.Errorf("told of %+v", told)
				}
				for _, p := range permits {
					p.Done(nil)
				}
				if s := wantCounts(t, b, 0, 0, 5); s.Late != 0 {
					t.Errorf("%d calls that were counted as slow are late, too", s.Late)
				}
			})
		})
	}
}

func TestACallThatHangsIsCountedOnceWhileItHangs(t *testing.T) {
	ends := map[string]struct {
		err      error
		failures int64 // in the window, afterwards
	}{
		"a success": {nil, 0}, "a failure": {errDown, 1}, "an ignored error": {breaker.Ignore(errDown), 0},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			inEachWindow(t, func(t *testing.T, w breaker.Window) {
				b := must(breaker.New(breaker.Options{Window: w, SlowCall: slowCall}))
				p := hang(t, b, 1)[0]
				time.Sleep(slowCall - 1)
				wantCounts(t, b, 0, 0, 0)
				time.Sleep(1 + slowCall/4)
				for range 3 {
					if s := wantCounts(t, b, 0, 0, 1); s.WindowSlow != 1 || s.WindowCalls != 1 {
						t.Fatalf("%+v", s)
					}
				}
				time.Sleep(time.Second)
				p.Done(end.err)
				if s := wantCounts(t, b, 0, 0, 1); s.WindowSlow != 1 || s.WindowCalls != 1 || s.WindowFailures != end.failures || s.Late+s.Ignored != 0 {
					t.Fatalf("after its end: %+v", s)
				}
			})
		})
	}
}

func TestACallIsSlowFromSlowCallOn(t *testing.T) {
	inEachWindow(t, func(t *testing.T, w breaker.Window) {
		const slowCall = 200 * time.Millisecond // all of it within the window
		b := must(breaker.New(breaker.Options{Window: w, SlowCall: slowCall}))
		for _, d := range []time.Duration{0, slowCall - 1, slowCall, slowCall * 9 / 8} {
			_ = b.Do(t.Context(), func(context.Context) error { time.Sleep(d); return nil })
			_ = b.Do(t.Context(), func(context.Context) error { time.Sleep(d); return errDown })
		}
		s := wantCounts(t, b, 2, 2, 4)
		if s.WindowCalls != 8 || s.WindowFailures != 4 || s.WindowSlow != 4 || s.SlowRatio != 0.5 || s.FailureRatio != 0.5 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestTheSlowRatioDecidesOnItsOwn(t *testing.T) {
	inEachWindow(t, func(t *testing.T, w breaker.Window) {
		b := must(breaker.New(breaker.Options{Window: w, MinCalls: 4, SlowCall: time.Millisecond, SlowRatio: 0.75, FailureRatio: 1}))
		wantErr(t, succeed(b), nil)
		for range 3 {
			wantState(t, b, breaker.Closed)
			_ = b.Do(t.Context(), func(context.Context) error { time.Sleep(time.Millisecond); return nil })
		}
		err := succeed(b)
		wantErr(t, err, breaker.ErrOpen)
		if open := err.(*breaker.OpenError); open.SlowRatio != 0.75 || open.FailureRatio != 0 {
			t.Errorf("%+v", open)
		}
	})
}

func TestSlowProbesOpenAHalfOpenBreaker(t *testing.T) {
	inEachWindow(t, func(t *testing.T, w breaker.Window) {
		b := must(breaker.New(breaker.Options{
			Window: w, MinCalls: 1, SlowCall: time.Second, SlowRatio: 0.5, Probes: 2, OpenFor: time.Second, MaxOpenFor: time.Second,
		}))
		wantErr(t, fail(b), errDown)
		time.Sleep(time.Second)
		_ = b.Do(t.Context(), func(context.Context) error { time.Sleep(time.Second); return nil })
		wantState(t, b, breaker.Open)
		wantCounts(t, b, 0, 1, 1)
		time.Sleep(time.Second)
		for range 2 {
			wantErr(t, succeed(b), nil)
		}
		wantState(t, b, breaker.Closed)
	})
}

func TestAPanicAndAGoexitAreFailuresInEveryWindow(t *testing.T) {
	for _, slowCall := range []time.Duration{0, time.Second} {
		inEachWindow(t, func(t *testing.T, w breaker.Window) {
			b := must(breaker.New(breaker.Options{Window: w, MinCalls: 3, FailureRatio: 1, SlowCall: slowCall, ConsecutiveFailures: 2}))
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() {
					if recover() != "boom" {
						t.Error("the panic did not reach the caller")
					}
				}()
				_ = b.Do(context.Background(), func(context.Context) error { panic("boom") })
			}()
			<-done
			wantCounts(t, b, 0, 1, 0)
			done = make(chan struct{})
			go func() {
				defer close(done)
				_ = b.Do(context.Background(), exit)
			}()
			<-done
			wantCounts(t, b, 0, 2, 0)
			wantState(t, b, breaker.Open)
		})
	}
}

func TestWithSlowCallsALateResultCountsNowhere(t *testing.T) {
	inEachWindow(t, func(t *testing.T, w breaker.Window) {
		b := must(breaker.New(breaker.Options{
			Window: w, MinCalls: 1, SlowCall: time.Second, Probes: 1, OpenFor: time.Millisecond, MaxOpenFor: time.Millisecond,
		}))
		p := hang(t, b, 3)
		wantErr(t, fail(b), errDown)
		p[0].Done(errDown) // while it is open
		time.Sleep(time.Millisecond)
		p[1].Done(nil) // while it is half-open
		wantErr(t, succeed(b), nil)
		time.Sleep(time.Minute)
		p[2].Done(errDown) // closed again
		s := wantCounts(t, b, 1, 1, 0)
		if s.Late != 3 || s.WindowCalls != 0 || s.State != breaker.Closed {
			t.Fatalf("%+v", s)
		}
	})
}

func TestASlowSuccessCanBeAmended(t *testing.T) {
	inEachWindow(t, func(t *testing.T, w breaker.Window) {
		for _, d := range []time.Duration{slowCall, 2 * slowCall} { // before and after it was found to hang
			b := must(breaker.New(breaker.Options{Window: w, SlowCall: slowCall}))
			p := hang(t, b, 1)[0]
			time.Sleep(d)
			p.Done(nil)
			p.Amend(errDown)
			p.Amend(errDown)
			if s := wantCounts(t, b, 0, 0, 1); s.WindowFailures != 1 || s.WindowSlow != 1 || s.WindowCalls != 1 {
				t.Fatalf("after %v: %+v", d, s)
			}
		}
	})
}
