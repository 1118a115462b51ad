package main

import (
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivethrottler"

	"github.com/joist-go/joist/breaker/throttle"
)

var throttleCases = []benchCase{
	{name: "accepted", about: "takes a permit and reports that the call was accepted", setup: throttleAccepted},
}

const throttleWindow = 2 * time.Minute

// throttleAccepted is beside a peer that compares failures with a threshold, where ours compares accepts with requests.
func throttleAccepted(env *environment) (lineup, error) {
	ours, err := throttle.New(throttle.Options{
		Name: "benchmark", Window: throttleWindow, MeterProvider: env.sdk.metrics, TracerProvider: env.sdk.traces,
	})
	if err != nil {
		return lineup{}, err
	}
	failsafe := adaptivethrottler.NewBuilder[any]().WithFailureRateThreshold(tripRatio, 1, throttleWindow).Build()
	return lineup{
		ours: contender{name: "joist", settings: "Do; K = 2 over 2m in 10 steps", loop: func(int) func(int) {
			return func(n int) {
				for range n {
					_ = ours.Do(ctx, work)
				}
			}
		}},
		peers: []contender{{
			name: "failsafe-go", module: failsafeModule, settings: "TryAcquirePermit and RecordSuccess; half may fail, over 2m",
			loop: func(int) func(int) {
				return func(n int) {
					for range n {
						if !failsafe.TryAcquirePermit() {
							continue
						}
						if err := work(ctx); err != nil {
							failsafe.RecordError(err)
						} else {
							failsafe.RecordSuccess()
						}
					}
				}
			},
		}},
		floor: clockAndCAS(),
	}, nil
}
