package joist_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/cache"
	"github.com/joist-go/joist/pool/bulkhead"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/retry"
)

// User is what the example's dependency answers.
type User struct{ Name string }

var (
	users    = joist.Must(cache.New(cache.Options[int64, User]{Name: "users", Load: load, TTL: time.Minute, StaleIfError: time.Hour}))
	retries  = joist.Must(retry.New(retry.Options{Name: "users-api", AttemptTimeout: time.Second}))
	bulk     = joist.Must(bulkhead.New(bulkhead.Options{Name: "users-api", Limit: bulkhead.Fixed(50)}))
	breakers = joist.Must(breaker.New(breaker.Options{Name: "users-api"}))
)

func load(ctx context.Context, id int64) (User, error) {
	return retry.DoValue(ctx, retries, func(ctx context.Context) (User, error) {
		return bulkhead.DoValue(ctx, bulk, func(ctx context.Context) (User, error) {
			return breaker.DoValue(ctx, breakers, func(ctx context.Context) (User, error) {
				return fetch(ctx, id) // your call; then: user, err := users.Get(ctx, 42)
			})
		})
	})
}

var fetches int

// fetch stands for a call over the network, of which the first one fails.
func fetch(_ context.Context, id int64) (User, error) {
	if fetches++; fetches == 1 {
		return User{}, errors.New("connection reset")
	}
	return User{Name: fmt.Sprintf("user %d", id)}, nil
}

// The blocks nest: a rate limit around a cache, whose loads are retried, of which each attempt takes a place of a
// bulkhead and passes a breaker.
func Example() {
	limit := joist.Must(ratelimit.New(ratelimit.Options{
		Name:   "example",
		Limits: []ratelimit.Limit{ratelimit.PerMinute(1).WithBurst(3)},
	}))
	for range 4 {
		user, err := ratelimit.DoValue(context.Background(), limit, func(ctx context.Context) (User, error) {
			return users.Get(ctx, 42)
		})
		if errors.Is(err, ratelimit.ErrLimited) {
			fmt.Println("limited")
			continue
		}
		fmt.Println(user.Name, err, "after", fetches, "fetches")
	}
	// Output:
	// user 42 <nil> after 2 fetches
	// user 42 <nil> after 2 fetches
	// user 42 <nil> after 2 fetches
	// limited
}
