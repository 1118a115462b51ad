package main

import (
	"context"
	"time"

	avast "github.com/avast/retry-go/v5"
	"github.com/cenkalti/backoff/v5"

	"github.com/joist-go/joist/retry"
)

var retryCases = []benchCase{
	{name: "success", about: "calls work that succeeds at once", setup: retrySuccess},
	{name: "success-value", about: "calls work that returns a value and succeeds at once", setup: retrySuccessValue},
	{name: "attempt-timeout", about: "calls work that succeeds at once, each attempt under a timeout", setup: retryAttemptTimeout},
}

const (
	avastModule    = "github.com/avast/retry-go/v5"
	cenkaltiModule = "github.com/cenkalti/backoff/v5"
)

func ourPolicy(env *environment, timeout time.Duration) (*retry.Policy, error) {
	return retry.New(retry.Options{
		Name:           "benchmark",
		AttemptTimeout: timeout,
		MeterProvider:  env.sdk.metrics,
		TracerProvider: env.sdk.traces,
	})
}

func avastOptions() []avast.Option {
	return []avast.Option{avast.Context(ctx), avast.Attempts(3), avast.LastErrorOnly(true)}
}

// cenkaltiOptions are made once: its options are given with every call.
func cenkaltiOptions() []backoff.RetryOption {
	return []backoff.RetryOption{backoff.WithBackOff(&backoff.ZeroBackOff{}), backoff.WithMaxTries(3)}
}

func retrySuccess(env *environment) (lineup, error) {
	ours, err := ourPolicy(env, 0)
	if err != nil {
		return lineup{}, err
	}
	retrier := avast.New(avastOptions()...)
	opts := cenkaltiOptions()
	return lineup{
		ours: contender{name: "joist", settings: "Do; 3 attempts, the default budget", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_ = ours.Do(ctx, work)
				}
			}
		}},
		peers: []contender{
			{name: "avast", module: avastModule, settings: "Do of a retrier made once; 3 attempts, last error only", loop: func(int) func(int) {
				call := func() error { return work(ctx) }
				return func(n int) {
					for range n {
						_ = retrier.Do(call)
					}
				}
			}},
			{name: "cenkalti", module: cenkaltiModule, settings: "Retry with options made once; 3 tries, no backoff", loop: func(int) func(int) {
				call := func() (struct{}, error) { return struct{}{}, work(ctx) }
				return func(n int) {
					for range n {
						_, _ = backoff.Retry(ctx, call, opts...)
					}
				}
			}},
		},
		floor: counterAndCall(),
	}, nil
}

func retrySuccessValue(env *environment) (lineup, error) {
	ours, err := ourPolicy(env, 0)
	if err != nil {
		return lineup{}, err
	}
	retrier := avast.NewWithData[int](avastOptions()...)
	opts := cenkaltiOptions()
	return lineup{
		ours: contender{name: "joist", settings: "DoValue; 3 attempts, the default budget", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_, _ = retry.DoValue(ctx, ours, workValue)
				}
			}
		}},
		peers: []contender{
			{name: "avast", module: avastModule, settings: "Do of a typed retrier made once; 3 attempts, last error only", loop: func(int) func(int) {
				call := func() (int, error) { return workValue(ctx) }
				return func(n int) {
					for range n {
						_, _ = retrier.Do(call)
					}
				}
			}},
			{name: "cenkalti", module: cenkaltiModule, settings: "Retry with options made once; 3 tries, no backoff", loop: func(int) func(int) {
				call := func() (int, error) { return workValue(ctx) }
				return func(n int) {
					for range n {
						_, _ = backoff.Retry(ctx, call, opts...)
					}
				}
			}},
		},
		floor: counterAndCall(),
	}, nil
}

func retryAttemptTimeout(env *environment) (lineup, error) {
	ours, err := ourPolicy(env, time.Second)
	if err != nil {
		return lineup{}, err
	}
	retrier := avast.New(avastOptions()...)
	return lineup{
		ours: contender{name: "joist", settings: "Do; 3 attempts, AttemptTimeout of a second", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_ = ours.Do(ctx, work)
				}
			}
		}},
		peers: []contender{{
			name: "avast+WithTimeout", module: avastModule,
			settings: "Do of a retrier made once around context.WithTimeout of a second",
			loop: func(int) func(int) {
				call := func() error {
					ctx, cancel := context.WithTimeout(ctx, time.Second)
					defer cancel()
					return work(ctx)
				}
				return func(n int) {
					for range n {
						_ = retrier.Do(call)
					}
				}
			},
		}},
		floor: &contender{loop: func(int) func(int) {
			return func(n int) {
				for range n {
					ctx, cancel := context.WithTimeout(ctx, time.Second)
					_ = work(ctx)
					cancel()
				}
			}
		}},
	}, nil
}
