package limittest_test

import (
	"testing"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/limittest"
)

func TestALimiterKeepsTheContract(t *testing.T) {
	limittest.Run(t, func(_ *testing.T, limits ...ratelimit.Limit) ratelimit.Taker {
		return joist.Must(ratelimit.New(ratelimit.Options{Limits: limits})).Taker()
	})
}

func TestAKeyedKeepsTheContract(t *testing.T) {
	limittest.RunKeys(t, func(_ *testing.T, limits ...ratelimit.Limit) ratelimit.Taker {
		return ratelimit.TakerOf(joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits})))
	})
}

func TestAKeyedWhoseKeysHaveTiersKeepsTheContract(t *testing.T) {
	limittest.RunKeys(t, func(_ *testing.T, limits ...ratelimit.Limit) ratelimit.Taker {
		return ratelimit.TakerOf(joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
			Limits:    []ratelimit.Limit{ratelimit.None()},
			LimitsFor: func(string) []ratelimit.Limit { return limits },
		})))
	})
}

func TestAChainOfOneLimitEachKeepsTheContract(t *testing.T) {
	limittest.RunKeys(t, func(_ *testing.T, limits ...ratelimit.Limit) ratelimit.Taker {
		k := ratelimit.TakerOf(joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits})))
		return ratelimit.Chain(k)
	})
}
