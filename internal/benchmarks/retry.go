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
	{name: "max-elapsed", about: "calls work that succeeds at once, each call with a limit on its time", setup: retryMaxElapsed},
	{name: "loop", about: "calls work that succeeds at once, as the body of a loop", setup: retryLoop},
	{name: "preset", about: "calls work that succeeds at once, with a budget that is told of each call", setup: retryPreset},
	{name: "hedge", about: "calls work that answers before a hedge is due", setup: retryHedge},
}

const (
	avastModule    = "github.com/avast/retry-go/v5"
	cenkaltiModule = "github.com/cenkalti/backoff/v5"
)

func ourPolicy(env *environment, o retry.Options) (*retry.Policy, error) {
	o.Name = "benchmark"
	o.MeterProvider = env.sdk.metrics
	o.TracerProvider = env.sdk.traces
	return retry.New(o)
}

func avastOptions() []avast.Option {
	return []avast.Option{avast.Context(ctx), avast.Attempts(3), avast.LastErrorOnly(true)}
}

// cenkaltiOptions are made once: its options are given with every call.
func cenkaltiOptions() []backoff.RetryOption {
	return []backoff.RetryOption{backoff.WithBackOff(&backoff.ZeroBackOff{}), backoff.WithMaxTries(3)}
}

func retrySuccess(env *environment) (lineup, error) {
	ours, err := ourPolicy(env, retry.Options{})
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
	ours, err := ourPolicy(env, retry.Options{})
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
	ours, err := ourPolicy(env, retry.Options{AttemptTimeout: time.Second})
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

// cenkaltiElapsed tries with a limit on the time of all tries together, which is a default there.
func cenkaltiElapsed() contender {
	opts := append(cenkaltiOptions(), backoff.WithMaxElapsedTime(time.Minute))
	return contender{
		name: "cenkalti", module: cenkaltiModule, settings: "Retry with options made once; 3 tries, a maximum elapsed time of a minute",
		loop: func(int) func(int) {
			call := func() (struct{}, error) { return struct{}{}, work(ctx) }
			return func(n int) {
				for range n {
					_, _ = backoff.Retry(ctx, call, opts...)
				}
			}
		},
	}
}

func retryMaxElapsed(env *environment) (lineup, error) {
	ours, err := ourPolicy(env, retry.Options{MaxElapsed: time.Minute})
	if err != nil {
		return lineup{}, err
	}
	return lineup{
		ours: contender{name: "joist", settings: "Do; 3 attempts, MaxElapsed of a minute", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_ = ours.Do(ctx, work)
				}
			}
		}},
		peers: []contender{cenkaltiElapsed()},
		floor: counterAndCall(),
	}, nil
}

func retryLoop(env *environment) (lineup, error) {
	ours, err := ourPolicy(env, retry.Options{})
	if err != nil {
		return lineup{}, err
	}
	return lineup{
		ours: contender{name: "joist", settings: "a loop over Attempts of Start; 3 attempts, the default budget", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					run := ours.Start(ctx)
					for ctx := range run.Attempts() {
						run.Done(work(ctx))
					}
					_ = run.Err()
				}
			}
		}},
		peers: []contender{cenkaltiElapsed()},
		floor: counterAndCall(),
	}, nil
}

// aDefaultPolicy is the yardstick of what costs more.
func aDefaultPolicy(env *environment) (contender, error) {
	p, err := ourPolicy(env, retry.Options{})
	return contender{name: "default", settings: "Do; 3 attempts, the default budget", loop: func(int) func(int) {
		return func(n int) {
			for range n {
				_ = p.Do(ctx, work)
			}
		}
	}}, err
}

func retryPreset(env *environment) (lineup, error) {
	budget, err := retry.AWSBudget()
	if err != nil {
		return lineup{}, err
	}
	ours, err := ourPolicy(env, retry.Options{Budget: budget})
	if err != nil {
		return lineup{}, err
	}
	plain, err := aDefaultPolicy(env)
	return lineup{
		ours: contender{name: "joist", settings: "Do; 3 attempts, AWSBudget", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_ = ours.Do(ctx, work)
				}
			}
		}},
		peers: []contender{plain},
		floor: counterAndCall(),
	}, err
}

func retryHedge(env *environment) (lineup, error) {
	ours, err := ourPolicy(env, retry.Options{HedgeDelay: time.Second})
	if err != nil {
		return lineup{}, err
	}
	plain, err := aDefaultPolicy(env)
	return lineup{
		ours: contender{name: "joist", settings: "Hedge; a delay of a second", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_, _ = retry.Hedge(ctx, ours, workValue)
				}
			}
		}},
		peers: []contender{plain},
		floor: counterAndCall(),
	}, err
}
