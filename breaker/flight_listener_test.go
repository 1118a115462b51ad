package breaker_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
)

// leavers are listeners that do not return.
var leavers = map[string]func(){"panics": func() { panic("listener") }, "exits": runtime.Goexit}

// apart runs fn on a goroutine of its own, which it may leave as it likes.
func apart(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		fn()
	}()
	<-done
}

func TestACallThatAListenerStopsIsNotCountedAsHung(t *testing.T) {
	for name, leave := range leavers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := must(breaker.New(breaker.Options{
					MinCalls: 1, SlowCall: time.Second, Probes: 2, FailureRatio: 0.75, ProbeTimeout: time.Minute,
					OpenFor: time.Second, MaxOpenFor: time.Second,
					OnStateChange: func(tr breaker.Transition) {
						if tr.To == breaker.Closed {
							leave()
						}
					},
				}))
				wantErr(t, fail(b), errDown)
				time.Sleep(time.Second)
				hang(t, b, 1)
				wantErr(t, succeed(b), nil)
				time.Sleep(time.Minute)
				apart(func() { // it reclaims the probe, which closes the breaker, which the listener is told of
					_ = b.Do(context.Background(), func(context.Context) error { t.Error("called"); return nil })
				})
				time.Sleep(time.Minute)
				if s := b.Stats(); s.State != breaker.Closed || s.Slow != 1 {
					t.Fatalf("slow is but the probe, and the call was not made: %+v", s)
				}
			})
		})
	}
}

func TestACallWhoseEndIsToldToAListenerThatLeavesIsOut(t *testing.T) {
	for name, leave := range leavers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := must(breaker.New(breaker.Options{
					MinCalls: 2, SlowCall: time.Second, OnStateChange: func(breaker.Transition) { leave() },
				}))
				hang(t, b, 2)
				time.Sleep(1142 * time.Millisecond)
				late := hang(t, b, 1)[0]
				time.Sleep(time.Millisecond)
				apart(func() { late.Done(nil) }) // finds that two hang, which opens the breaker
				if s := b.Stats(); s.State != breaker.Open || s.Late != 1 || s.Slow != 2 {
					t.Fatalf("%+v", s)
				}
			})
		})
	}
}
