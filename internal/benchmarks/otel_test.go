package main

import (
	"strconv"
	"testing"
)

// What is measured has to be what a service runs: the counters of ours reach the SDK.
func TestTheSDKIsReallyAttachedToOurs(t *testing.T) {
	for _, test := range []struct {
		name, instrument string
	}{
		{"cache/hit", "joist.cache.requests"},
		{"ratelimit/allow", "joist.ratelimit.requests"},
		{"ratelimit/deny", "joist.ratelimit.requests"},
		{"ratelimit/three", "joist.ratelimit.requests"},
		{"ratelimit/keyed-100k", "joist.ratelimit.requests"},
		{"retry/success", "joist.retry.calls"},
		{"breaker/closed", "joist.breaker.calls"},
		{"breaker/refused", "joist.breaker.calls"},
		{"pool/go", "joist.pool.tasks"},
		{"pool/submit", "joist.pool.tasks"},
		{"flight/distinct-keys", "joist.flight.calls"},
		{"bulkhead/do", "joist.bulkhead.requests"},
	} {
		t.Run(test.name, func(t *testing.T) {
			chosen, err := selected(test.name)
			if err != nil {
				t.Fatal(err)
			}
			env := &environment{sdk: newSDK()}
			defer env.close()
			l, err := chosen[0].cases[0].setup(env)
			if err != nil {
				t.Fatal(err)
			}
			const calls = 1000
			before := collected(t, env.sdk, test.instrument)
			ours := newLocal(l.ours)
			if _, err := ours.run(serial, calls); err != nil {
				t.Fatal(err)
			}
			env.close() // a pool counts a task when it has returned
			settled := int64(0)
			if l.ours.settle != nil {
				settled = 1 // the task that settles is a task too
			}
			if got := collected(t, env.sdk, test.instrument) - before; got != calls+settled {
				t.Errorf("%s grew by %s in %d calls", test.instrument, strconv.FormatInt(got, 10), calls)
			}
		})
	}
}

func collected(t *testing.T, s *sdk, instrument string) int64 {
	t.Helper()
	if err := s.collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.sum(instrument)
}
