package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/joist-go/joist/cache"
)

// A source that is down: what the cache holds is served stale, and a key without a value is refused at once.
func ExampleEntry() {
	down := false
	prices, err := cache.New(cache.Options[string, int]{
		TTL:          time.Nanosecond, // everything is stale at once, for the example's sake
		StaleIfError: time.Hour,
		ErrorBackoff: time.Minute,
		Logger:       slog.New(slog.DiscardHandler),
		Load: func(context.Context, string) (int, error) {
			if down {
				return 0, errors.New("connection refused")
			}
			return 99, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer prices.Close(ctx)

	_, _ = prices.Get(ctx, "apples")
	down = true
	e, err := prices.GetEntry(ctx, "apples") // an HTTP handler writes e.Age as Age, e.FreshFor as Cache-Status's ttl
	fmt.Println(e.Value, "stale:", e.Stale, "from:", e.Source, err)
	// Output:
	// 99 stale: true from: local <nil>
}

func ExampleBackoffError() {
	prices, err := cache.New(cache.Options[string, int]{
		Name:         "prices",
		TTL:          time.Minute,
		ErrorBackoff: 16 * time.Second,
		Logger:       slog.New(slog.DiscardHandler),
		Load:         func(context.Context, string) (int, error) { return 0, errors.New("connection refused") },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer prices.Close(ctx)

	_, err = prices.Get(ctx, "apples")
	fmt.Println(err)

	_, err = prices.Get(ctx, "apples")
	if refused, ok := errors.AsType[*cache.BackoffError](err); ok {
		fmt.Println("refused:", refused.Err, "- again in a second:", refused.RetryAfter() <= time.Second)
	}
	// Output:
	// connection refused
	// refused: connection refused - again in a second: true
}
