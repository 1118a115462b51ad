package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/breaker"
)

func ExampleBreaker() {
	b, err := breaker.New(breaker.Options{Name: "users-api", MinCalls: 3, OpenFor: time.Minute, MaxOpenFor: time.Minute})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	for range 3 {
		err = b.Do(ctx, func(context.Context) error { return errors.New("connection refused") })
		fmt.Println(err)
	}
	err = b.Do(ctx, func(context.Context) error { return nil })
	fmt.Println(errors.Is(err, breaker.ErrOpen), b.State())
	// Output:
	// connection refused
	// connection refused
	// connection refused
	// true open
}

func ExampleDoValue() {
	b, err := breaker.New(breaker.Options{Name: "users-api"})
	if err != nil {
		panic(err)
	}
	name, err := breaker.DoValue(context.Background(), b, func(context.Context) (string, error) { return "Ada", nil })
	fmt.Println(name, err)
	// Output: Ada <nil>
}

// A permit is for work that begins in one place and ends in another.
func ExamplePermit() {
	b, err := breaker.New(breaker.Options{Name: "feed"})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	permit, err := b.Allow(ctx)
	if err != nil {
		panic(err)
	}
	defer permit.Done(errors.New("gave up")) // nothing, if the outcome was told before
	permit.Done(nil)
	permit.Amend(errors.New("the stream broke off")) // it had begun well
	fmt.Println(b.Stats().Successes, b.Stats().Failures)
	// Output: 0 1
}

// An OpenError says how long to wait, which makes a good Retry-After.
func ExampleOpenError() {
	b, err := breaker.New(breaker.Options{Name: "users-api", MinCalls: 1, OpenFor: time.Minute, MaxOpenFor: time.Minute})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	down := func(context.Context) error { return errors.New("down") }
	_ = b.Do(ctx, down)

	err = b.Do(ctx, down)
	if open, ok := errors.AsType[*breaker.OpenError](err); ok {
		seconds := (open.RetryAfter() + time.Second - 1) / time.Second
		fmt.Println(503, open.Name, open.State, open.FailureRatio, "Retry-After:", int(seconds))
	}
	// Output: 503 users-api open 1 Retry-After: 60
}

func ExampleIgnore() {
	b, err := breaker.New(breaker.Options{Name: "users-api", MinCalls: 1})
	if err != nil {
		panic(err)
	}
	badRequest := errors.New("the caller sent nonsense")
	err = b.Do(context.Background(), func(context.Context) error { return breaker.Ignore(badRequest) })
	fmt.Println(errors.Is(err, badRequest), b.State(), b.Stats().Ignored)
	// Output: true closed 1
}
