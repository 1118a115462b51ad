package main

import (
	"golang.org/x/sync/semaphore"

	"github.com/joist-go/joist/pool/bulkhead"
)

var bulkheadCases = []benchCase{
	{name: "do", about: "calls work with a free place", setup: func(env *environment) (lineup, error) {
		return bulkheadDo(env, bulkhead.Options{Limit: bulkhead.Fixed(bulkheadLimit)}, "Do; a fixed limit of 64")
	}},
	{name: "do-aimd", about: "calls work with a free place", setup: func(env *environment) (lineup, error) {
		return bulkheadDo(env, bulkhead.Options{Limit: bulkhead.AIMD{Initial: bulkheadLimit}}, "Do; an AIMD that begins at 64")
	}},
	{name: "do-gradient", about: "calls work with a free place", setup: func(env *environment) (lineup, error) {
		return bulkheadDo(env, bulkhead.Options{Limit: bulkhead.Gradient{Initial: bulkheadLimit}}, "Do; a Gradient that begins at 64")
	}},
	{name: "do-queue", about: "calls work with a free place", setup: func(env *environment) (lineup, error) {
		return bulkheadDo(env, bulkhead.Options{Limit: bulkhead.Fixed(bulkheadLimit), MaxQueue: 1000},
			"Do; a fixed limit of 64 and a queue that nobody waits in")
	}},
}

const bulkheadLimit = 64

func bulkheadDo(env *environment, o bulkhead.Options, settings string) (lineup, error) {
	o.Name, o.MeterProvider, o.TracerProvider = "benchmark", env.sdk.metrics, env.sdk.traces
	ours, err := bulkhead.New(o)
	if err != nil {
		return lineup{}, err
	}
	peer := semaphore.NewWeighted(bulkheadLimit)
	places := make(chan struct{}, bulkheadLimit)
	return lineup{
		ours: contender{name: "joist", settings: settings, loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_ = ours.Do(ctx, work)
				}
			}
		}},
		peers: []contender{
			{name: "semaphore", module: "golang.org/x/sync", settings: "TryAcquire(1) and Release(1); 64 in all", loop: func(int) func(int) {
				return func(n int) {
					for range n {
						if peer.TryAcquire(1) {
							_ = work(ctx)
							peer.Release(1)
						}
					}
				}
			}},
			{name: "channel", settings: "a place in a buffered channel of 64, never waited for", loop: func(int) func(int) {
				return func(n int) {
					for range n {
						select {
						case places <- struct{}{}:
							_ = work(ctx)
							<-places
						default:
						}
					}
				}
			}},
		},
		floor: enterAndLeave(),
	}, nil
}
