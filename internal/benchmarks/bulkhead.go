package main

import (
	"golang.org/x/sync/semaphore"

	"github.com/joist-go/joist/pool/bulkhead"
)

var bulkheadCases = []benchCase{
	{name: "do", about: "calls work with a free place", setup: bulkheadDo},
}

const bulkheadLimit = 64

func bulkheadDo(env *environment) (lineup, error) {
	ours, err := bulkhead.New(bulkhead.Options{
		Name: "benchmark", Limit: bulkhead.Fixed(bulkheadLimit), MeterProvider: env.sdk.metrics, TracerProvider: env.sdk.traces,
	})
	if err != nil {
		return lineup{}, err
	}
	peer := semaphore.NewWeighted(bulkheadLimit)
	places := make(chan struct{}, bulkheadLimit)
	return lineup{
		ours: contender{name: "joist", settings: "Do; a fixed limit of 64", loop: func(int) func(int) {
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
