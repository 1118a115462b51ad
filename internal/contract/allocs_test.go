//go:build !race

package contract_test

import (
	"context"
	"testing"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/retry"
)

// The documented order of the blocks around one call, each closure capturing, with and without a value.
func TestFourBlocksAroundACallAllocateNothing(t *testing.T) {
	limiter := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.Unlimited()}}))
	policy := joist.Must(retry.New(retry.Options{}))
	slots := joist.Must(bulkhead.New(bulkhead.Options{Limit: bulkhead.Fixed(10)}))
	circuit := joist.Must(breaker.New(breaker.Options{}))
	ctx := context.Background()
	n := 0
	do := func() {
		err := limiter.Do(ctx, func(ctx context.Context) error {
			return policy.Do(ctx, func(ctx context.Context) error {
				return slots.Do(ctx, func(ctx context.Context) error {
					return circuit.Do(ctx, func(context.Context) error { n++; return nil })
				})
			})
		})
		if err != nil {
			t.Error(err)
		}
	}
	value := func() {
		v, err := ratelimit.DoValue(ctx, limiter, func(ctx context.Context) (int, error) {
			return retry.DoValue(ctx, policy, func(ctx context.Context) (int, error) {
				return bulkhead.DoValue(ctx, slots, func(ctx context.Context) (int, error) {
					return breaker.DoValue(ctx, circuit, func(context.Context) (int, error) { n++; return n, nil })
				})
			})
		})
		if err != nil || v != n {
			t.Error(v, err)
		}
	}
	if allocs := testing.AllocsPerRun(1000, do); allocs != 0 {
		t.Errorf("Do: %v allocations, want 0", allocs)
	}
	if allocs := testing.AllocsPerRun(1000, value); allocs != 0 {
		t.Errorf("DoValue: %v allocations, want 0", allocs)
	}
}
