package retry_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// step is a call of a policy with 2 attempts: how each of its attempts ends, how many are made, and what the budget has
// available afterwards.
type step struct {
	what      string
	results   []error
	attempts  int
	available float64
}

// walk makes the calls and compares after each.
func walk(t *testing.T, p *retry.Policy, b *retry.Budget, steps []step) {
	t.Helper()
	for i, s := range steps {
		attempts := 0
		_ = p.Do(t.Context(), func(context.Context) error { attempts++; return s.results[attempts-1] })
		if got := b.Stats().Available; attempts != s.attempts || math.Abs(got-s.available) > 1e-9 {
			t.Errorf("step %d, %s: %d attempts and %v available afterwards, want %d and %v", i, s.what, attempts, got, s.attempts, s.available)
		}
	}
}

// preset returns the budget that a constructor made, and a policy of 2 attempts without waits that has it.
func preset(t *testing.T, b *retry.Budget, err error) (*retry.Policy, *retry.Budget) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return newPolicy(t, retry.Options{MaxAttempts: 2, Backoff: instant, Budget: b}), b
}

// The token count is in the comments: 4 at first, and retries go out above 2.
func TestGRPCsTokensStepByStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := retry.GRPCBudget(4, 0.5)
		p, _ := preset(t, b, err)
		ok, down := []error{nil}, []error{errDown, errDown}
		walk(t, p, b, []step{
			{"a success when it is full", ok, 1, 2},                                // 4
			{"a failure takes 1 and is above half", down, 2, 0},                    // 3, then the retry's 1: 2
			{"half is not above half", down, 1, 0},                                 // 1
			{"a success adds the ratio", ok, 1, 0},                                 // 1.5
			{"and again", ok, 1, 0},                                                // 2
			{"and again", ok, 1, 0.5},                                              // 2.5
			{"a failure counts before it is asked", down, 1, 0},                    // 1.5
			{"successes", ok, 1, 0},                                                // 2
			{"successes", ok, 1, 0.5},                                              // 2.5
			{"successes", ok, 1, 1},                                                // 3
			{"successes", ok, 1, 1.5},                                              // 3.5
			{"a retry costs nothing itself", []error{errDown, nil}, 2, 1},          // 2.5, the retry succeeds: 3
			{"no retry can help", []error{retry.Permanent(errDown)}, 1, 1},         // 3
			{"a push-back counts", []error{retry.After(errDown, time.Hour)}, 1, 0}, // 2
		})
		for range 10 {
			walk(t, p, b, []step{{"it never falls below 0", down, 1, 0}})
		}
		for range 4 {
			walk(t, p, b, []step{{"so 4 successes make half", ok, 1, 0}}) // 2
		}
		succeedN(t, p, 100)
		walk(t, p, b, []step{{"it never rises above the most", ok, 1, 2}})
	})
}

func TestGRPCsEveryFailedAttemptCountsTheLastOneToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := retry.GRPCBudget(100, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		p := newPolicy(t, retry.Options{MaxAttempts: 4, Backoff: instant, Budget: b})
		if got := failN(t, p, 10); got != 40 {
			t.Errorf("%d attempts, want 40: 60 tokens are above half", got)
		}
		if s := b.Stats(); s.Available != 10 || s.Calls != 10 || s.Spent != 30 || s.Refused != 0 || s.Name != "grpc" {
			t.Errorf("stats are %+v", s)
		}
		failN(t, p, 10) // 4, 4, 2 attempts, then 1 each
		if s := b.Stats(); s.Available != 0 || s.Spent != 37 || s.Refused != 8 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestGRPCsTokenRatioHasThreeDecimals(t *testing.T) {
	for ratio, want := range map[float64]float64{0.0019: 0.001, 0.29: 0.29, 0.1234999: 0.123, 1.5: 1.5} {
		synctest.Test(t, func(t *testing.T) {
			b, err := retry.GRPCBudget(1, ratio)
			p, _ := preset(t, b, err)
			failN(t, p, 1) // 0 tokens
			for n := 0; b.Stats().Available == 0; n++ {
				succeedN(t, p, 1)
				if earned := float64(n+1) * want; b.Stats().Available > 0 && math.Abs(b.Stats().Available-min(earned-0.5, 0.5)) > 1e-9 {
					t.Errorf("ratio %v: %v available after %d successes, want %v", ratio, b.Stats().Available, n+1, earned-0.5)
				}
			}
		})
	}
}

func TestGRPCsCancelledCallsCountForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := retry.GRPCBudget(10, 0.1)
		p, _ := preset(t, b, err)
		ctx, cancel := context.WithCancel(t.Context())
		_ = p.Do(ctx, func(context.Context) error { cancel(); return errDown })
		if got := b.Stats().Available; got != 5 {
			t.Errorf("%v available, want 5", got)
		}
	})
}

func TestGRPCBudgetReportsAllFaults(t *testing.T) {
	for _, maxTokens := range []int{-1, 0, 1001} {
		for _, ratio := range []float64{-1, 0, 0.0009, math.NaN(), math.Inf(1)} {
			_, err := retry.GRPCBudget(maxTokens, ratio)
			if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 2 { //nolint:errorlint // the outermost
				t.Errorf("GRPCBudget(%d, %v): %v", maxTokens, ratio, err)
			}
		}
	}
	if b, err := retry.GRPCBudget(1000, math.MaxFloat64); err != nil || b.Stats().Available != 500 {
		t.Error(err)
	}
}

// A retry that is waited for in vain was never made, in any budget.
func TestPresetsGetBackWhatDidNotGoOut(t *testing.T) {
	for name, call := range map[string]func() (*retry.Budget, error){
		"aws": retry.AWSBudget, "finagle": retry.FinagleBudget,
	} {
		synctest.Test(t, func(t *testing.T) {
			b, err := call()
			if err != nil {
				t.Fatal(err)
			}
			p := newPolicy(t, retry.Options{Budget: b})
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errDown)
			defer cancel()
			before := b.Stats().Available
			left, leave := context.WithCancel(ctx)
			time.AfterFunc(time.Second, leave)
			err = p.Do(left, func(context.Context) error { return retry.After(errDown, 2*time.Second) })
			if s := b.Stats(); !errors.Is(err, context.Canceled) || math.Floor(s.Available) != before || s.Spent != 0 {
				t.Errorf("%s: %v; stats are %+v, before %v were available", name, err, s, before)
			}
		})
	}
}
