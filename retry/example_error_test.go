package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/retry"
)

func ExampleError() {
	policy := must(retry.New(retry.Options{Name: "orders", Backoff: retry.Exponential(time.Millisecond, time.Second)}))
	err := policy.Do(context.Background(), func(ctx context.Context) error {
		return fmt.Errorf("answer %d was half a page", retry.Attempt(ctx))
	})

	if stopped, ok := errors.AsType[*retry.Error](err); ok {
		fmt.Println(stopped.Attempts, stopped.Reason, errors.Is(err, retry.ErrExhausted))
		for _, e := range stopped.History {
			fmt.Println("-", e)
		}
	}
	// Output:
	// 3 exhausted true
	// - answer 1 was half a page
	// - answer 2 was half a page
	// - answer 3 was half a page
}

func ExampleReason() {
	err := error(&retry.Error{Policy: "orders", Attempts: 2, Reason: retry.ReasonBudget, Last: errors.New("connection refused")})

	if stopped, ok := errors.AsType[*retry.Error](err); ok && stopped.Reason == retry.ReasonBudget {
		fmt.Println("the dependency is in trouble:", stopped.Last)
	}
	// Output: the dependency is in trouble: connection refused
}
