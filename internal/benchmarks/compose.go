package main

import (
	"context"

	avast "github.com/avast/retry-go/v5"
	"github.com/sony/gobreaker/v2"

	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/retry"
)

var composeCases = []benchCase{
	{name: "four", about: "calls work that returns a value through limiter, retry, bulkhead and breaker", setup: composeFour},
}

func composeFour(env *environment) (lineup, error) {
	limiter, err := ratelimit.New(ratelimit.Options{
		Name:   "benchmark",
		Limits: []ratelimit.Limit{ratelimit.PerSecond(plenty).WithBurst(plentyBurst)}, MeterProvider: env.sdk.metrics, TracerProvider: env.sdk.traces,
	})
	if err != nil {
		return lineup{}, err
	}
	policy, err := ourPolicy(env, retry.Options{})
	if err != nil {
		return lineup{}, err
	}
	slots, err := bulkhead.New(bulkhead.Options{
		Name: "benchmark", Limit: bulkhead.Fixed(bulkheadLimit), MeterProvider: env.sdk.metrics, TracerProvider: env.sdk.traces,
	})
	if err != nil {
		return lineup{}, err
	}
	circuit, err := ourBreaker(env)
	if err != nil {
		return lineup{}, err
	}
	// The result is captured, as it is in a service.
	call := func(ctx context.Context) (int, error) {
		var result int
		err := limiter.Do(ctx, func(ctx context.Context) error {
			return policy.Do(ctx, func(ctx context.Context) error {
				return slots.Do(ctx, func(ctx context.Context) error {
					return circuit.Do(ctx, func(ctx context.Context) error {
						var err error
						result, err = workValue(ctx)
						return err
					})
				})
			})
		})
		return result, err
	}
	return lineup{
		ours: contender{name: "joist", settings: "four nested Do, each block set up as in its own case", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_, _ = call(ctx)
				}
			}
		}},
		peers: []contender{avastAndGobreaker()},
	}, nil
}

// avastAndGobreaker is a retry around a breaker.
func avastAndGobreaker() contender {
	retrier := avast.NewWithData[int](avastOptions()...)
	circuit := gobreaker.NewCircuitBreaker[int](gobreakerSettings())
	return contender{
		name: "avast+gobreaker", module: gobreakerModule,
		settings: "a typed retrier made once around Execute with a rolling window; no limiter, no bulkhead",
		loop: func(int) func(int) {
			guarded := func() (int, error) { return workValue(ctx) }
			call := func() (int, error) { return circuit.Execute(guarded) }
			return func(n int) {
				for range n {
					_, _ = retrier.Do(call)
				}
			}
		},
	}
}
