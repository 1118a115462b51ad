package contract_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/breakerhttp"
	"github.com/joist-go/joist/internal/contract"
)

// A half-open breaker has one place for a probe. However the probe ends, the place is free again: at once after a call
// that says nothing about the dependency, after the next pause when it failed. ProbeTimeout, which would free it in the
// end, is far away.
func TestAProbesPlaceIsNeverLost(t *testing.T) {
	const pause = time.Second
	o := breaker.Options{MinCalls: 1, Probes: 1, OpenFor: pause, MaxOpenFor: pause, ProbeTimeout: 1000 * time.Hour}
	for what, made := range map[string]func(t *testing.T) func(context.Context, contract.Call) error{
		"breaker.Breaker": func(*testing.T) func(context.Context, contract.Call) error { return joist.Must(breaker.New(o)).Do },
		"breaker.Keyed": func(*testing.T) func(context.Context, contract.Call) error {
			return joist.Must(breaker.NewKeyed(breaker.KeyedOptions[string]{Options: o})).For("a").Do
		},
		"breakerhttp.Transport": func(t *testing.T) func(context.Context, contract.Call) error {
			return roundTrip(t, joist.Must(breakerhttp.New(breakerhttp.Options{Base: new(base), Options: o})))
		},
	} {
		for end, probe := range map[string]contract.Call{
			"panics":        func(context.Context) error { panic("boom") },
			"exits":         func(context.Context) error { runtime.Goexit(); return nil },
			"fails":         outage,
			"was cancelled": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		} {
			t.Run(what+" "+end, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					do := made(t)
					_ = do(t.Context(), outage)
					for range 10 {
						time.Sleep(pause)
						ctx, cancel := context.WithCancel(t.Context())
						time.AfterFunc(time.Millisecond, cancel)
						ran, done := false, make(chan struct{})
						go func() {
							defer close(done)
							defer func() { _ = recover() }() // the probe's panic
							_ = do(ctx, func(ctx context.Context) error { ran = true; return probe(ctx) })
						}()
						<-done
						cancel()
						if !ran {
							t.Fatal("the place of an earlier probe is lost")
						}
					}
					if errors.Is(do(t.Context(), succeed), breaker.ErrOpen) != (end != "was cancelled") {
						t.Error("a probe that failed must open the breaker again, one that was cancelled must not")
					}
				})
			})
		}
	}
}
