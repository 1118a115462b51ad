package limittest_test

import (
	"testing"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/limittest"
)

func limiter(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
	return joist.Must(ratelimit.New(ratelimit.Options{Limits: limits})).Taker()
}

func keyed(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
	return ratelimit.TakerOf(joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits})))
}

// tiers has the limits from LimitsFor.
func tiers(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
	return ratelimit.TakerOf(joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits:    []ratelimit.Limit{ratelimit.None()},
		LimitsFor: func(string) []ratelimit.Limit { return limits },
	})))
}

// chain has a taker for each limit, before them one that only watches, and chains within it.
func chain(t testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
	takers := []ratelimit.Taker{ratelimit.Chain(limiter(t, ratelimit.Unlimited().Named("all").Shadowed()))}
	for i, l := range limits {
		taker := keyed(t, l).(ratelimit.Refunder)
		switch i % 3 {
		case 0:
			taker = ratelimit.Rekeyed(taker, func(key string) string { return "of " + key })
		case 1:
			taker = ratelimit.Chain(taker)
		}
		takers = append(takers, taker)
	}
	return ratelimit.Chain(takers...)
}

func TestALimiterKeepsTheContract(t *testing.T) {
	limittest.Run(t, limittest.Harness{New: limiter, Shared: true})
}

func TestAKeyedKeepsTheContract(t *testing.T) {
	limittest.Run(t, limittest.Harness{New: keyed})
}

func TestAKeyedWhoseKeysHaveTiersKeepsTheContract(t *testing.T) {
	limittest.Run(t, limittest.Harness{New: tiers})
}

func TestAChainOfSeveralTakersKeepsTheContract(t *testing.T) {
	limittest.Run(t, limittest.Harness{New: chain, InOrder: true})
}

func TestAChainOfATakerOfSeveralLimitsKeepsTheContract(t *testing.T) {
	limittest.Run(t, limittest.Harness{New: func(t testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
		return ratelimit.Chain(keyed(t, limits...))
	}})
}

func TestAChainEndsWithLimitersThatAllKeysShare(t *testing.T) {
	limittest.Run(t, limittest.Harness{Shared: true, InOrder: true, New: func(t testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
		takers := make([]ratelimit.Taker, len(limits))
		for i, l := range limits {
			takers[i] = limiter(t, l)
		}
		return ratelimit.Chain(takers...)
	}})
}

// What the suite tests only of those that can do it is tested of these.
func TestTakersOfThisModuleCanDoAllThatTheSuiteTests(t *testing.T) {
	for name, taker := range map[string]ratelimit.Taker{
		"a Limiter": limiter(t, ratelimit.PerSecond(1)),
		"a Keyed":   keyed(t, ratelimit.PerSecond(1)),
	} {
		_, refunds := taker.(ratelimit.Refunder)
		_, charges := taker.(limittest.Charger)
		_, sets := taker.(limittest.Setter)
		if !refunds || !charges || !sets {
			t.Errorf("%s: Refund %v, Charge %v, SetLimits %v", name, refunds, charges, sets)
		}
	}
	if _, ok := chain(t).(ratelimit.Refunder); !ok {
		t.Error("a chain is no Refunder")
	}
}
