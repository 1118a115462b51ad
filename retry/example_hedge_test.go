package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/retry"
)

// One server hangs. The call is made again after 10 ms, and another server answers.
func ExampleHedge() {
	policy := must(retry.New(retry.Options{Name: "users-api", HedgeDelay: 10 * time.Millisecond}))
	user, err := retry.Hedge(context.Background(), policy, func(ctx context.Context) (string, error) {
		if retry.Attempt(ctx) == 1 {
			<-ctx.Done() // until the other attempt has answered
			return "", ctx.Err()
		}
		return "Ada", nil
	})
	fmt.Println(user, err, policy.Stats().Hedges)
	// Output: Ada <nil> 1
}

// The policy measures how long answers take, and hedges the slowest twentieth.
func ExampleHedge_percentile() {
	policy := must(retry.New(retry.Options{
		Name:            "users-api",
		HedgePercentile: 0.95,
		HedgeDelay:      time.Second, // until 200 calls have been measured
	}))
	fmt.Println(policy.Stats().HedgeDelay)
	for range 200 {
		_, err := retry.Hedge(context.Background(), policy, func(context.Context) (string, error) { return "Ada", nil })
		if err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(policy.Stats().HedgeDelay < time.Second)
	// Output:
	// 1s
	// true
}

func ExamplePanicError() {
	policy := must(retry.New(retry.Options{}))
	defer func() {
		if e, ok := recover().(*retry.PanicError); ok {
			fmt.Println(e.Value, len(e.Stack) > 0, errors.Unwrap(e))
		}
	}()
	_, _ = retry.Hedge(context.Background(), policy, func(context.Context) (string, error) { panic("boom") })
	// Output: boom true <nil>
}
