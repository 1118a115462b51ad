//go:build !race

package retry_test

import (
	"context"
	"testing"
	"time"

	"github.com/joist-go/joist/retry"
)

// measured fails when f allocates more than want on average.
func measured(t *testing.T, what string, want float64, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(1000, f); got > want {
		t.Errorf("%s allocates %v times, want at most %v", what, got, want)
	}
}

func TestASuccessAtOnceAllocatesNothing(t *testing.T) {
	p := newPolicy(t, retry.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	total := 0
	measured(t, "Do", 0, func() {
		n := 1 // captured, as real work captures
		if p.Do(ctx, func(context.Context) error { total += n; return nil }) != nil {
			t.Error("failed")
		}
	})
	measured(t, "DoValue", 0, func() {
		n := 1
		v, err := retry.DoValue(ctx, p, func(context.Context) (int, error) { return total + n, nil })
		if err != nil || v != total+1 {
			t.Error("failed")
		}
	})
	measured(t, "policies around policies", 0, func() {
		n := 1
		v, err := retry.DoValue(ctx, p, func(ctx context.Context) (int, error) {
			return retry.DoValue(ctx, p, func(context.Context) (int, error) { return total + n, nil })
		})
		if err != nil || v != total+1 {
			t.Error("failed")
		}
	})
}

func TestASuccessWithAnAttemptTimeoutAllocatesWhatItsContextDoes(t *testing.T) {
	p := newPolicy(t, retry.Options{AttemptTimeout: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	measured(t, "Do", 5, func() {
		if p.Do(ctx, func(context.Context) error { return nil }) != nil {
			t.Error("failed")
		}
	})
}

func TestASuccessWithMaxElapsedAllocatesNothing(t *testing.T) {
	p := newPolicy(t, retry.Options{MaxElapsed: time.Minute, FirstTriesOnly: true})
	n := 0
	measured(t, "Do", 0, func() {
		if p.Do(t.Context(), func(context.Context) error { n++; return nil }) != nil {
			t.Error("failed")
		}
	})
}

func TestAPermanentFailureAtOnceAllocatesNothing(t *testing.T) {
	p := newPolicy(t, retry.Options{})
	err := retry.Permanent(errDown)
	measured(t, "Do", 0, func() {
		if p.Do(t.Context(), func(context.Context) error { return err }) == nil {
			t.Error("succeeded")
		}
	})
}
