package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/retry"
)

// attemptsOf makes calls that fail, each with up to 2 attempts, and returns how many attempts they made.
func attemptsOf(calls int, budget *retry.Budget) (attempts int) {
	policy := must(retry.New(retry.Options{MaxAttempts: 2, Backoff: retry.Exponential(time.Microsecond, time.Microsecond), Budget: budget}))
	for range calls {
		_ = policy.Do(context.Background(), func(context.Context) error {
			attempts++
			return errors.New("connection refused")
		})
	}
	return attempts
}

// Of 10 tokens 5 can be lost: the attempts of two calls, and of the third the first.
func ExampleGRPCBudget() {
	budget := must(retry.GRPCBudget(10, 0.1))
	fmt.Println(attemptsOf(100, budget))
	// Output: 102
}

// The quota of 500 pays for 100 retries.
func ExampleAWSBudget() {
	budget := must(retry.AWSBudget())
	fmt.Println(attemptsOf(1000, budget))
	// Output: 1100
}

// In 10 seconds there are 100 retries, and one for every five calls.
func ExampleFinagleBudget() {
	budget := must(retry.FinagleBudget())
	fmt.Println(attemptsOf(1000, budget))
	// Output: 1300
}
