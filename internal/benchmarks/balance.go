package main

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/pool/balance"
)

var balanceCases = []benchCase{
	{name: "pick", about: "picks one of 10 endpoints and reports success, with calls that take no time", setup: balancePick},
	{name: "pick-timed", about: "the same with one endpoint ejected, when each pick and each end reads the clock", setup: balanceTimed},
	{name: "key", about: "picks the endpoint of a key, of 10, and reports success", setup: balanceKey},
}

const balanceEndpoints = 10

func tenEndpoints() []string {
	all := make([]string, balanceEndpoints)
	for i := range all {
		all[i] = "10.0.0." + strconv.Itoa(i) + ":8080"
	}
	return all
}

func balancePick(env *environment) (lineup, error) {
	ours, err := balance.New(balance.Options[string]{
		Name: "benchmark", Endpoints: tenEndpoints(), MeterProvider: env.sdk.metrics, TracerProvider: env.sdk.traces,
	})
	if err != nil {
		return lineup{}, err
	}
	return lineup{
		ours:  balancer(ours, "Pick and Done; 10 endpoints"),
		peers: []contender{roundRobin()},
		floor: enterAndLeave(),
	}, nil
}

func balanceTimed(env *environment) (lineup, error) {
	ours, err := balance.New(balance.Options[string]{
		Name: "benchmark", Endpoints: tenEndpoints(), ConsecutiveFailures: 1, EjectFor: time.Hour,
		MeterProvider: env.sdk.metrics, TracerProvider: env.sdk.traces,
	})
	if err != nil {
		return lineup{}, err
	}
	bad, err := ours.Pick(ctx)
	if err != nil {
		return lineup{}, err
	}
	bad.Done(errWork)
	return lineup{
		ours:  balancer(ours, "Pick and Done; 10 endpoints, one of them ejected for an hour"),
		peers: []contender{roundRobin()},
		floor: clockAndCAS(),
	}, nil
}

func balanceKey(env *environment) (lineup, error) {
	ours, err := balance.NewRendezvous(balance.RendezvousOptions[string]{
		Name: "benchmark", Endpoints: tenEndpoints(), MeterProvider: env.sdk.metrics, TracerProvider: env.sdk.traces,
	})
	if err != nil {
		return lineup{}, err
	}
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = "user/" + strconv.Itoa(i)
	}
	return lineup{
		ours: contender{name: "joist", settings: "Rendezvous: Pick and Done; 10 endpoints, at most 1.25 × the mean in flight", loop: func(worker int) func(int) {
			at := worker * len(keys) / 2
			return func(n int) {
				for range n {
					at++
					pick, err := ours.Pick(ctx, keys[at%len(keys)])
					if err == nil {
						pick.Done(work(ctx))
					}
				}
			}
		}},
		peers: []contender{roundRobin()},
	}, nil
}

func balancer(b *balance.Balancer[string], settings string) contender {
	return contender{name: "joist", settings: settings, loop: func(int) func(int) {
		return func(n int) {
			for range n {
				pick, err := b.Pick(ctx)
				if err == nil {
					pick.Done(work(ctx))
				}
			}
		}
	}}
}

// roundRobin is what a balancer costs at the least: it knows nothing of its endpoints, and counts nothing.
func roundRobin() contender {
	all := tenEndpoints()
	var next atomic.Uint64
	var picked atomic.Pointer[string]
	return contender{name: "roundrobin", settings: "the next of 10 endpoints by one atomic counter", loop: func(int) func(int) {
		return func(n int) {
			var last *string
			for range n {
				last = &all[next.Add(1)%balanceEndpoints]
				_ = work(ctx)
			}
			picked.Store(last)
		}
	}}
}
