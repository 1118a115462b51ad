package main

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/joist-go/joist/breaker"
)

var breakerCases = []benchCase{
	{name: "closed", about: "calls work that succeeds, through Do", setup: breakerClosed},
	{name: "permit", about: "takes a permit and reports success, around the same work", setup: breakerPermit},
	{name: "value", about: "calls work that succeeds, through DoValue", setup: breakerValue},
	{name: "count", about: "takes a permit and reports success, with a window of the last 100 calls", setup: breakerCount},
	{name: "slow", about: "calls work that succeeds, through Do, and takes its time", setup: breakerSlow},
	{name: "refused", about: "is refused by an open breaker", setup: breakerRefused},
}

const (
	breakerWindow  = 10 * time.Second
	breakerOpenFor = time.Hour

	failsafeModule  = "github.com/failsafe-go/failsafe-go"
	gobreakerModule = "github.com/sony/gobreaker/v2"

	ourBreakerText  = "a window of 10s in 10 steps, opens at half of at least 20 calls"
	failsafeText    = "TryAcquirePermit and RecordSuccess; a failure rate over 10s (10 steps), at least 20 calls"
	gobreakerText   = "Execute; a rolling window of 10s in 10 buckets, opens at half of at least 20 calls"
	twoStepText     = "TwoStep Allow and done; a rolling window of 10s in 10 buckets, opens at half of at least 20 calls"
	minCalls        = 20
	lastCalls       = 100
	tripRatio       = 0.5
	gobreakerBucket = breakerWindow / 10
)

var errWork = errors.New("the work failed")

func ourBreaker(env *environment) (*breaker.Breaker, error) {
	return ourBreakerWith(env, breaker.Last(breakerWindow), 0)
}

func ourBreakerWith(env *environment, window breaker.Window, slowCall time.Duration) (*breaker.Breaker, error) {
	return breaker.New(breaker.Options{
		Name:           "benchmark",
		Window:         window,
		SlowCall:       slowCall,
		MinCalls:       minCalls,
		FailureRatio:   tripRatio,
		OpenFor:        breakerOpenFor,
		MeterProvider:  env.sdk.metrics,
		TracerProvider: env.sdk.traces,
	})
}

func failsafeBreaker() circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().
		WithFailureRateThreshold(tripRatio, minCalls, breakerWindow).
		WithDelay(breakerOpenFor).
		Build()
}

func gobreakerSettings() gobreaker.Settings {
	return gobreaker.Settings{
		Name: "benchmark", Interval: breakerWindow, BucketPeriod: gobreakerBucket, Timeout: breakerOpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.Requests >= minCalls && float64(c.TotalFailures) >= tripRatio*float64(c.Requests)
		},
	}
}

func breakerClosed(env *environment) (lineup, error) {
	ours, err := ourBreaker(env)
	if err != nil {
		return lineup{}, err
	}
	return lineup{
		ours: contender{name: "joist", settings: "Do; " + ourBreakerText, loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_ = ours.Do(ctx, work)
				}
			}
		}},
		peers: []contender{failsafePeer(failsafeBreaker(), failsafeText), gobreakerPeer()},
		floor: clockAndCAS(),
	}, nil
}

func breakerValue(env *environment) (lineup, error) {
	ours, err := ourBreaker(env)
	if err != nil {
		return lineup{}, err
	}
	return lineup{
		ours: contender{name: "joist", settings: "DoValue; " + ourBreakerText, loop: func(int) func(int) {
			value := func(ctx context.Context) (int, error) { return 1, work(ctx) }
			return func(n int) {
				for range n {
					_, _ = breaker.DoValue(ctx, ours, value)
				}
			}
		}},
		peers: []contender{failsafePeer(failsafeBreaker(), failsafeText)},
		floor: clockAndCAS(),
	}, nil
}

func breakerCount(env *environment) (lineup, error) {
	ours, err := ourBreakerWith(env, breaker.LastCalls(lastCalls), 0)
	if err != nil {
		return lineup{}, err
	}
	failsafe := circuitbreaker.NewBuilder[any]().
		WithFailureThresholdRatio(lastCalls/2, lastCalls).
		WithDelay(breakerOpenFor).
		Build()
	return lineup{
		ours: contender{name: "joist", settings: "Allow and Done; a window of 100 calls, opens at half of at least 20", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					permit, err := ours.Allow(ctx)
					if err == nil {
						permit.Done(work(ctx))
					}
				}
			}
		}},
		peers: []contender{failsafePeer(failsafe, "TryAcquirePermit and RecordSuccess; opens at 50 failures of 100 calls")},
	}, nil
}

// breakerSlow stands beside a peer that takes no time: it has no slow calls.
func breakerSlow(env *environment) (lineup, error) {
	ours, err := ourBreakerWith(env, breaker.Last(breakerWindow), time.Second)
	if err != nil {
		return lineup{}, err
	}
	return lineup{
		ours: contender{name: "joist", settings: "Do; " + ourBreakerText + "; calls of 1s are slow, and counted while they hang", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_ = ours.Do(ctx, work)
				}
			}
		}},
		peers: []contender{failsafePeer(failsafeBreaker(), failsafeText)},
		floor: clockAndCAS(),
	}, nil
}

func breakerPermit(env *environment) (lineup, error) {
	ours, err := ourBreaker(env)
	if err != nil {
		return lineup{}, err
	}
	twoStep := gobreaker.NewTwoStepCircuitBreaker[any](gobreakerSettings())
	return lineup{
		ours: contender{name: "joist", settings: "Allow and Done; " + ourBreakerText, loop: func(int) func(int) {
			return func(n int) {
				for range n {
					permit, err := ours.Allow(ctx)
					if err == nil {
						permit.Done(work(ctx))
					}
				}
			}
		}},
		peers: []contender{
			failsafePeer(failsafeBreaker(), failsafeText),
			{name: "gobreaker", module: gobreakerModule, settings: twoStepText, loop: func(int) func(int) {
				return func(n int) {
					for range n {
						done, err := twoStep.Allow()
						if err == nil {
							done(work(ctx))
						}
					}
				}
			}},
		},
		floor: clockAndCAS(),
	}, nil
}

// failsafePeer uses bare permits: what wraps them costs several times as much.
func failsafePeer(b circuitbreaker.CircuitBreaker[any], settings string) contender {
	return contender{name: "failsafe-go", module: failsafeModule, settings: settings, loop: func(int) func(int) {
		return func(n int) {
			for range n {
				if !b.TryAcquirePermit() {
					continue
				}
				if err := work(ctx); err != nil {
					b.RecordError(err)
				} else {
					b.RecordSuccess()
				}
			}
		}
	}}
}

func gobreakerPeer() contender {
	b := gobreaker.NewCircuitBreaker[struct{}](gobreakerSettings())
	return contender{name: "gobreaker", module: gobreakerModule, settings: gobreakerText, loop: func(int) func(int) {
		call := func() (struct{}, error) { return struct{}{}, work(ctx) }
		return func(n int) {
			for range n {
				_, _ = b.Execute(call)
			}
		}
	}}
}

func breakerRefused(env *environment) (lineup, error) {
	ours, err := ourBreaker(env)
	if err != nil {
		return lineup{}, err
	}
	failsafe := failsafeBreaker()
	failsafe.Open()
	sony := gobreaker.NewCircuitBreaker[struct{}](gobreakerSettings())
	fail := func(context.Context) error { return errWork }
	for range 2 * minCalls {
		_ = ours.Do(ctx, fail)
		_, _ = sony.Execute(func() (struct{}, error) { return struct{}{}, errWork })
	}
	if err := ours.Do(ctx, work); !errors.Is(err, breaker.ErrOpen) {
		return lineup{}, errors.New("our breaker did not open")
	}
	if sony.State() != gobreaker.StateOpen || !failsafe.IsOpen() {
		return lineup{}, errors.New("a peer's breaker did not open")
	}
	return lineup{
		ours: contender{name: "joist", settings: "Do; open for an hour", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_ = ours.Do(ctx, work)
				}
			}
		}},
		peers: []contender{
			{name: "failsafe-go", module: failsafeModule, settings: "TryAcquirePermit; open for an hour", loop: func(int) func(int) {
				return func(n int) {
					for range n {
						failsafe.TryAcquirePermit()
					}
				}
			}},
			{name: "gobreaker", module: gobreakerModule, settings: "Execute; open for an hour", loop: func(int) func(int) {
				call := func() (struct{}, error) { return struct{}{}, work(ctx) }
				return func(n int) {
					for range n {
						_, _ = sony.Execute(call)
					}
				}
			}},
		},
		floor: clockOnly(),
	}, nil
}
