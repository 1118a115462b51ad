//go:build !race

package bulkhead_test

import (
	"context"
	"testing"

	"github.com/joist-go/joist/pool/bulkhead"
)

func TestACallAllocatesNothing(t *testing.T) {
	b := fixed(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sum := 0
	if got := testing.AllocsPerRun(1000, func() {
		_ = b.Do(ctx, func(context.Context) error { sum++; return nil })
	}); got != 0 {
		t.Errorf("Do: %v allocations", got)
	}
	if got := testing.AllocsPerRun(1000, func() {
		n, _ := bulkhead.DoValue(ctx, b, func(context.Context) (int, error) { return sum, nil })
		sum += n
	}); got != 0 {
		t.Errorf("DoValue: %v allocations", got)
	}
}

func TestNestedCapturingCallsAllocateNothing(t *testing.T) {
	outer, inner := fixed(t, 1), fixed(t, 1)
	user, ctx := "u", t.Context()
	if got := testing.AllocsPerRun(1000, func() {
		var name string
		_ = outer.Do(ctx, func(ctx context.Context) error {
			v, err := bulkhead.DoValue(ctx, inner, func(context.Context) (string, error) { return user, nil })
			name = v
			return err
		})
		if name != user {
			t.Fatal(name)
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestARefusalAllocatesItsErrorAlone(t *testing.T) {
	b := fixed(t, 1)
	h := hold(b)
	ctx := t.Context()
	if got := testing.AllocsPerRun(1000, func() { _ = b.Do(ctx, nothing) }); got > 1 {
		t.Errorf("%v allocations", got)
	}
	h.end()
}

func TestACallThatAnAdaptiveLimitLearnsFromAllocatesNothing(t *testing.T) {
	for _, limit := range []bulkhead.Limit{bulkhead.AIMD{}, bulkhead.Gradient{}} {
		b := limited(t, limit)
		ctx, sum := t.Context(), 0
		if got := testing.AllocsPerRun(1000, func() {
			_ = b.Do(ctx, func(ctx context.Context) error {
				n, err := bulkhead.DoValue(ctx, b, func(context.Context) (int, error) { return 1, nil })
				sum += n
				return err
			})
		}); got != 0 {
			t.Errorf("%T: %v allocations", limit, got)
		}
	}
}
