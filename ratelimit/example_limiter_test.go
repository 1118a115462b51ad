package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/ratelimit"
)

func ExampleLimiter() {
	lim, err := ratelimit.New(ratelimit.Options{
		Name:   "mail",
		Limits: []ratelimit.Limit{ratelimit.PerMinute(10).WithBurst(2)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		fmt.Println(lim.Allow())
	}
	// Output:
	// true
	// true
	// false
}

func ExampleLimiter_Do() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{
		Name:   "mail",
		Limits: []ratelimit.Limit{ratelimit.PerHour(1)},
	}))
	send := func(context.Context) error { fmt.Println("sent"); return nil }

	fmt.Println(lim.Do(context.Background(), send))
	err := lim.Do(context.Background(), send)
	if limited, ok := errors.AsType[*ratelimit.LimitedError](err); ok {
		fmt.Println("limited by", limited.Result.Limit)
		fmt.Println("try again in", limited.RetryAfter().Round(time.Minute))
	}
	// Output:
	// sent
	// <nil>
	// limited by default: 1 per 1h0m0s, burst 1
	// try again in 1h0m0s
}

func ExampleDoValue() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerSecond(100)}}))
	quote, err := ratelimit.DoValue(context.Background(), lim, func(context.Context) (string, error) {
		return "less is more", nil
	})
	fmt.Println(quote, err)
	// Output: less is more <nil>
}

func ExampleOptions() {
	_, err := ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{{Name: "täglich", Tokens: -5}}})
	fmt.Println(err)
	// Output:
	// joist/ratelimit: Options.Limits[0].Name is "täglich", but must be at most 128 printable ASCII characters
	// joist/ratelimit: Options.Limits[0].Tokens is -5, but must be positive, or Infinite
	// joist/ratelimit: Options.Limits[0].Per is not set, but it is required
}

func ExampleLimit() {
	fmt.Println(ratelimit.PerSecond(100))
	fmt.Println(ratelimit.PerDay(100_000).WithBurst(500).Named("daily"))
	fmt.Println(ratelimit.Limit{Tokens: 3, Per: 90 * time.Second})
	fmt.Println(ratelimit.Unlimited())
	// Output:
	// default: 100 per 1s, burst 100
	// daily: 100000 per 24h0m0s, burst 500
	// default: 3 per 1m30s, burst 3
	// default: unlimited
}

func ExampleLimitedError() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{Name: "search", Limits: []ratelimit.Limit{ratelimit.None()}}))
	err := lim.Do(context.Background(), func(context.Context) error { return nil })
	fmt.Println(errors.Is(err, ratelimit.ErrLimited))
	fmt.Println(err)
	// Output:
	// true
	// joist/ratelimit: "search" is limited (default: none): the call will never fit
}

func ExampleStats() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerHour(2)}}))
	for range 5 {
		lim.Allow()
	}
	fmt.Printf("%+v\n", lim.Stats())
	// Output: {Allowed:2 Denied:3 ShadowDenied:0 Waiting:0}
}
