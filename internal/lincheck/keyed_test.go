package lincheck

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/joist-go/joist/ratelimit"
)

const (
	callers        = 4
	instants       = 8 // at which all call at once
	callsAtInstant = 6 // of each caller
)

// bucketHistory has callers call at once, while time stands still, and again some time later.
func bucketHistory(t *testing.T, k *ratelimit.Keyed[int], ops []bucketOp, seed uint64) []porcupine.Operation {
	var ticks clock
	var made [callers][]porcupine.Operation
	began := time.Now()
	random := rand.New(rand.NewPCG(seed, callers))
	for range instants {
		var all sync.WaitGroup
		var ready atomic.Int32
		at := time.Since(began)
		for id := range callers {
			random := rand.New(rand.NewPCG(random.Uint64(), uint64(id)))
			all.Go(func() {
				for ready.Add(1); ready.Load() < callers; { // or else they come one after the other
					runtime.Gosched()
				}
				for range callsAtInstant {
					c := bucketCall{op: ops[random.IntN(len(ops))], key: random.IntN(hotKeys), at: at}
					if random.IntN(3) == 0 {
						c.key = random.IntN(allKeys)
					}
					c.tokens = time.Duration(1+random.IntN(burst)) * perToken
					called := ticks.tick()
					answer := c.do(t, k)
					made[id] = append(made[id], porcupine.Operation{
						ClientId: id, Input: c, Call: called, Output: answer, Return: ticks.tick(),
					})
				}
			})
		}
		all.Wait()
		time.Sleep(time.Duration(random.IntN(8)) * perToken / 2)
	}
	var history []porcupine.Operation
	for _, m := range made {
		history = append(history, m...)
	}
	return history
}

func (c bucketCall) do(t *testing.T, k *ratelimit.Keyed[int]) (a bucketAnswer) {
	n := int64(c.tokens / perToken)
	var err error
	switch c.op {
	case takeTokens:
		var r ratelimit.Result
		r, err = k.Take(c.key, n)
		a.allowed = r.Allowed
		if r.ResetAfter > 0 {
			a.full = c.at + r.ResetAfter
		}
	case chargeTokens:
		err = k.Charge(c.key, n)
		a.allowed = err == nil
	case refundTokens:
		err = k.Refund(c.key, n)
		a.allowed = err == nil
	case setLimits:
		err = k.SetLimits(c.key, []ratelimit.Limit{plainLimit()})
		a.allowed = err == nil
	}
	if err != nil && !errors.Is(err, ratelimit.ErrFull) {
		t.Error(err)
	}
	return a
}

func plainLimit() ratelimit.Limit { return ratelimit.Limit{Tokens: 1, Per: perToken, Burst: burst} }

func TestAKeyedIsLinearizable(t *testing.T) {
	for name, tt := range map[string]struct {
		places, histories int
		ops               []bucketOp
	}{
		// What is given back makes a place, and then a call that went to the overflow bucket comes from before that.
		"with two places":              {fewPlaces, 100, []bucketOp{takeTokens, takeTokens, chargeTokens}},
		"with a place for all":         {allKeys, 300, []bucketOp{takeTokens, takeTokens, chargeTokens, refundTokens, refundTokens}},
		"with limits that are set too": {allKeys, 100, []bucketOp{takeTokens, takeTokens, takeTokens, refundTokens, setLimits}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(tt.histories) {
				synctest.Test(t, func(t *testing.T) {
					k, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[int]{
						Limits: []ratelimit.Limit{plainLimit()}, MaxKeys: tt.places,
					})
					if err != nil {
						t.Fatal(err)
					}
					history := bucketHistory(t, k, tt.ops, seed)
					if result := porcupine.CheckOperationsTimeout(keyedModel(tt.places), history, patience); result == porcupine.Illegal {
						t.Fatalf("history %d has no order", seed)
					}
				})
			}
		})
	}
}

// A model that lets everything pass shows nothing.
func TestTheModelOfAKeyedRejectsWhatAKeyedMustNotDo(t *testing.T) {
	one, two := perToken, 2*perToken
	take := func(key int, at, tokens, full time.Duration, allowed bool) porcupine.Operation {
		return porcupine.Operation{Input: bucketCall{takeTokens, key, tokens, at}, Output: bucketAnswer{allowed, full}}
	}
	does := func(op bucketOp, key int, at time.Duration, ok bool) porcupine.Operation {
		return porcupine.Operation{Input: bucketCall{op, key, one, at}, Output: bucketAnswer{allowed: ok}}
	}
	for _, tt := range []struct {
		name    string
		places  int
		history []porcupine.Operation
		want    bool
	}{
		{"a burst", allKeys, []porcupine.Operation{take(0, 0, two, two, true), take(0, 0, one, two, false)}, true},
		{"more than a burst", allKeys, []porcupine.Operation{take(0, 0, two, two, true), take(0, 0, one, two+one, true)}, false},
		{"a token that is lost", allKeys, []porcupine.Operation{take(0, 0, one, two, true)}, false},
		{"a charge that is lost", allKeys, []porcupine.Operation{does(chargeTokens, 0, 0, true), take(0, 0, one, one, true)}, false},
		{"a refund", allKeys, []porcupine.Operation{take(0, 0, two, two, true), does(refundTokens, 0, 0, true), take(0, 0, one, two, true)}, true},
		{"a refund that is lost", allKeys, []porcupine.Operation{take(0, 0, two, two, true), does(refundTokens, 0, 0, true), take(0, 0, one, two, false)}, false},
		{"the overflow bucket", 1, []porcupine.Operation{take(0, 0, two, two, true), take(1, 0, two, two, true), take(2, 0, one, two, false)}, true},
		{"a bucket beyond the places", 1, []porcupine.Operation{take(0, 0, two, two, true), take(1, 0, two, two, true), take(2, 0, one, one, true)}, false},
		{"a full bucket makes a place", 1, []porcupine.Operation{take(0, 0, one, one, true), take(1, one, two, one+two, true)}, true},
		{"limits that find no place", 1, []porcupine.Operation{take(0, 0, one, one, true), does(setLimits, 1, 0, true)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.history {
				tt.history[i].Call, tt.history[i].Return = int64(2*i), int64(2*i+1)
			}
			if got := porcupine.CheckOperations(keyedModel(tt.places), tt.history); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
