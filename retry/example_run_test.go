package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/retry"
)

func ExampleRun() {
	policy := must(retry.New(retry.Options{Name: "greeter", Backoff: retry.Constant(time.Millisecond)}))

	var greeting string
	run := policy.Start(context.Background())
	for ctx := range run.Attempts() {
		if retry.Attempt(ctx) < 3 {
			run.Done(errors.New("connection refused"))
			continue
		}
		greeting = "hello"
		run.Done(nil)
	}
	fmt.Println(greeting, run.Err())
	// Output: hello <nil>
}

// A call that has no outcome yet may be left: no attempt follows, and the policy counts neither success nor failure.
func ExampleRun_abandoned() {
	policy := must(retry.New(retry.Options{Name: "greeter"}))

	run := policy.Start(context.Background())
	for range run.Attempts() {
		break
	}
	fmt.Println(run.Err())
	fmt.Println(policy.Stats().Abandoned)
	// Output:
	// joist/retry: the run was abandoned
	// 1
}

// MaxElapsed ends the retries of a call, not its attempts.
func ExamplePolicy_Do_maxElapsed() {
	policy := must(retry.New(retry.Options{
		Name:        "orders",
		MaxAttempts: retry.Unlimited,
		Backoff:     retry.Constant(time.Hour).WithJitter(retry.None),
		MaxElapsed:  time.Minute,
	}))
	err := policy.Do(context.Background(), func(context.Context) error { return errors.New("connection refused") })
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// joist/retry: "orders" stopped after 1 attempt (deadline): connection refused
	// true
}

// The inner policy does its retries, and leaves the outer one's alone: 3 calls and 2 more, not 3 × 3.
func ExampleOptions_firstTriesOnly() {
	backoff := retry.Constant(time.Millisecond)
	outer := must(retry.New(retry.Options{Name: "orders", Backoff: backoff, FirstTriesOnly: true}))
	inner := must(retry.New(retry.Options{Name: "database", Backoff: backoff, FirstTriesOnly: true}))

	calls := 0
	_ = outer.Do(context.Background(), func(ctx context.Context) error {
		return inner.Do(ctx, func(context.Context) error {
			calls++
			return errors.New("connection refused")
		})
	})
	fmt.Println(calls)
	// Output: 5
}
