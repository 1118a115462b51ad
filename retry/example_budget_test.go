package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/retry"
)

// Two operations of one dependency share a budget. When the dependency is down, 1000 calls become 1100 attempts and not
// 3000.
func ExampleBudget() {
	budget := must(retry.NewBudget(retry.BudgetOptions{Name: "users-api", Ratio: 0.1, Burst: retry.NoBurst}))
	backoff := retry.Exponential(time.Microsecond, time.Microsecond)
	get := must(retry.New(retry.Options{Name: "users-get", Backoff: backoff, Budget: budget}))
	list := must(retry.New(retry.Options{Name: "users-list", Backoff: backoff, Budget: budget}))

	attempts := 0
	down := func(context.Context) error {
		attempts++
		return errors.New("connection refused")
	}
	for range 500 {
		_ = get.Do(context.Background(), down)
		_ = list.Do(context.Background(), down)
	}
	fmt.Println(attempts)
	// Output: 1100
}

func ExampleBudgetStats() {
	budget := must(retry.NewBudget(retry.BudgetOptions{Ratio: 0.5, Burst: 2}))
	policy := must(retry.New(retry.Options{MaxAttempts: 2, Backoff: retry.Exponential(time.Microsecond, time.Microsecond), Budget: budget}))
	for range 5 {
		_ = policy.Do(context.Background(), func(context.Context) error { return errors.New("connection refused") })
	}
	s := budget.Stats()
	fmt.Println(s.Calls, s.Spent, s.Refused, s.Available)
	// Output: 5 4 1 0
}

func ExampleBackoff() {
	backoff := retry.Exponential(100*time.Millisecond, 5*time.Second)
	inRange := true
	for attempt := range 100 {
		d := backoff.Delay(attempt+1, 0)
		inRange = inRange && 0 <= d && d <= backoff.Cap()
	}
	fmt.Println(backoff, inRange)
	// Output: Exponential(100ms, 5s) true
}

func ExampleBudgetOptions() {
	budget, err := retry.NewBudget(retry.BudgetOptions{
		Name:   "users-api",
		Ratio:  0.2,         // at most 20 % more load
		Burst:  20,          // and 20 retries before any call has earned one
		Window: time.Minute, // what was earned above that is worth something for about a minute
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(budget.Stats().Available)
	// Output: 20
}
