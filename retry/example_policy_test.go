package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/retry"
)

// must is for programs that cannot start without v.
func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

func Example() {
	policy := must(retry.New(retry.Options{Name: "greeter", Backoff: retry.Exponential(time.Millisecond, time.Second)}))

	calls := 0
	greeting, err := retry.DoValue(context.Background(), policy, func(ctx context.Context) (string, error) {
		calls++
		if retry.Attempt(ctx) < 3 {
			return "", errors.New("connection refused")
		}
		return "hello", nil
	})
	fmt.Println(greeting, err, calls)
	// Output: hello <nil> 3
}

func ExamplePolicy_Do() {
	policy := must(retry.New(retry.Options{Name: "orders", MaxAttempts: 2, Backoff: retry.Exponential(time.Millisecond, time.Second)}))

	err := policy.Do(context.Background(), func(context.Context) error {
		return errors.New("connection refused")
	})
	fmt.Println(err)
	// Output: joist/retry: "orders" stopped after 2 attempts (exhausted): connection refused
}

// A deadline that the wait would miss ends the call at once, not when it is over.
func ExamplePolicy_Do_deadline() {
	policy := must(retry.New(retry.Options{Name: "orders"}))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	began := time.Now()
	err := policy.Do(ctx, func(context.Context) error {
		return retry.After(errors.New("busy for an hour"), time.Hour)
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded), time.Since(began) < time.Second)
	// Output:
	// joist/retry: "orders" stopped after 1 attempt (deadline): busy for an hour
	// true true
}

func ExamplePermanent() {
	policy := must(retry.New(retry.Options{Name: "orders"}))
	errNoSuchOrder := errors.New("no such order")

	calls := 0
	err := policy.Do(context.Background(), func(context.Context) error {
		calls++
		return retry.Permanent(errNoSuchOrder)
	})
	fmt.Println(err, errors.Is(err, errNoSuchOrder), calls)
	// Output: no such order true 1
}

func ExampleAfter() {
	policy := must(retry.New(retry.Options{Name: "orders", Backoff: retry.Exponential(time.Millisecond, time.Second)}))

	began := time.Now()
	err := policy.Do(context.Background(), func(ctx context.Context) error {
		if retry.Attempt(ctx) == 1 {
			return retry.After(errors.New("busy"), 20*time.Millisecond)
		}
		return nil
	})
	fmt.Println(err, time.Since(began) >= 20*time.Millisecond)
	// Output: <nil> true
}

func ExampleOptions() {
	errNotFound := errors.New("not found")
	policy := must(retry.New(retry.Options{
		Name:           "users-api",
		MaxAttempts:    4,
		Backoff:        retry.Exponential(time.Millisecond, time.Second),
		AttemptTimeout: time.Second,
		Retryable:      func(err error) bool { return !errors.Is(err, errNotFound) },
		OnRetry: func(_ context.Context, e retry.Event) {
			fmt.Printf("attempt %d, because: %v\n", e.Attempt, e.Err)
		},
	}))
	answers := []error{errors.New("connection reset"), errors.New("connection refused"), errNotFound}
	err := policy.Do(context.Background(), func(ctx context.Context) error {
		return answers[retry.Attempt(ctx)-1]
	})
	fmt.Println(err)
	// Output:
	// attempt 2, because: connection reset
	// attempt 3, because: connection refused
	// joist/retry: "users-api" stopped after 3 attempts (permanent): not found
}

func ExampleStats() {
	policy := must(retry.New(retry.Options{Name: "orders", Backoff: retry.Exponential(time.Millisecond, time.Second)}))
	for i := range 10 {
		_ = policy.Do(context.Background(), func(ctx context.Context) error {
			if i == 0 && retry.Attempt(ctx) == 1 {
				return errors.New("connection refused")
			}
			return nil
		})
	}
	s := policy.Stats()
	fmt.Println(s.FirstTry, s.Recovered, s.Retries)
	// Output: 9 1 1
}

func ExampleEvent() {
	policy := must(retry.New(retry.Options{
		Name:    "orders",
		Backoff: retry.Exponential(time.Millisecond, time.Second),
		OnRetry: func(_ context.Context, e retry.Event) {
			fmt.Println(e.Policy, e.Attempt, e.Err, e.Waited <= time.Millisecond)
		},
	}))
	_ = policy.Do(context.Background(), func(ctx context.Context) error {
		if retry.Attempt(ctx) == 1 {
			return errors.New("connection refused")
		}
		return nil
	})
	// Output: orders 2 connection refused true
}
