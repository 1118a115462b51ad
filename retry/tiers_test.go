package retry_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// tiers returns a call through four policies, each with 3 attempts and what o says, around work that fails at a rate, and
// the count of the work's calls. Each has a budget of its own unless o says otherwise.
func tiers(t *testing.T, o retry.Options, rate float64) (call func(context.Context) error, load *int) {
	load = new(int)
	chance := rand.New(rand.NewPCG(1, 2))
	call = func(context.Context) error {
		*load++
		if chance.Float64() < rate {
			return errDown
		}
		return nil
	}
	for range 4 {
		p, inside := newPolicy(t, o), call
		call = func(ctx context.Context) error { return p.Do(ctx, inside) }
	}
	return call, load
}

func TestFourTiersThatRetryAddAtMostHalfTheLoad(t *testing.T) {
	const calls = 2000
	// A tier adds a tenth of the calls that it gets, and its burst; those inside add to that.
	bound := 1.0
	for range 4 {
		bound = bound*(1+retry.DefaultRatio) + float64(retry.DefaultBurst)/calls
	}
	kinds := []struct {
		name    string
		calls   int
		options retry.Options
	}{
		{"nothing", calls / 10, retry.Options{Budget: retry.NoBudget}},
		{"FirstTriesOnly", calls / 10, retry.Options{Budget: retry.NoBudget, FirstTriesOnly: true}},
		{"and budgets of 10 %", calls, retry.Options{FirstTriesOnly: true}},
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%8s", "failing")
	for _, kind := range kinds {
		fmt.Fprintf(&table, "%22s", kind.name)
	}
	for _, percent := range []int{0, 5, 10, 20, 50, 75, 100} {
		fmt.Fprintf(&table, "\n%6d %%", percent)
		for i, kind := range kinds {
			synctest.Test(t, func(t *testing.T) {
				kind.options.Backoff = retry.Exponential(time.Millisecond, time.Millisecond)
				call, load := tiers(t, kind.options, float64(percent)/100)
				for range kind.calls {
					time.Sleep(10 * time.Millisecond)
					_ = call(t.Context())
				}
				amplification := float64(*load) / float64(kind.calls)
				fmt.Fprintf(&table, "%22.2f", amplification)
				if i == 2 && amplification > min(bound, 1.5) {
					t.Errorf("%d %% failing: the load is %.4f × the calls, want at most %.4f and 1.5", percent, amplification, bound)
				}
				if i == 2 && percent == 100 && amplification < bound-0.01 {
					t.Errorf("the load is %.4f × the calls: budgets of %.4f in all are not used", amplification, bound)
				}
				if percent == 100 && i < 2 && amplification != []float64{81, 9}[i] {
					t.Errorf("%s: the load is %.2f × the calls", kind.name, amplification)
				}
			})
		}
	}
	t.Logf("load on what the innermost of four tiers calls, for each call of the outermost\n%s", table.String())
}
