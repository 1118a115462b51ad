package breaker_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/joist-go/joist/breaker"
)

func ExampleKeyed() {
	byShard, err := breaker.NewKeyed(breaker.KeyedOptions[int]{
		Options: breaker.Options{Name: "shards", MinCalls: 1},
		MaxKeys: 64,
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	_ = byShard.For(1).Do(ctx, func(context.Context) error { return errors.New("down") })
	for shard := range 3 {
		fmt.Println(shard, byShard.For(shard).Do(ctx, func(context.Context) error { return nil }) == nil)
	}
	stats := byShard.Stats()
	fmt.Println(stats.Closed, "closed,", stats.Open, "open")
	// Output:
	// 0 true
	// 1 false
	// 2 true
	// 2 closed, 1 open
}

func ExampleKeyedOptions() {
	byTenant, err := breaker.NewKeyed(breaker.KeyedOptions[string]{
		Options: breaker.Options{Name: "tenants", MinCalls: 1},
		OnKeyStateChange: func(tenant string, t breaker.Transition) {
			fmt.Println(tenant, "is", t.To)
		},
	})
	if err != nil {
		panic(err)
	}
	_ = byTenant.For("acme").Do(context.Background(), func(context.Context) error { return errors.New("down") })
	// Output: acme is open
}

func ExampleKeyedStats() {
	byTenant, err := breaker.NewKeyed(breaker.KeyedOptions[string]{MaxKeys: 1})
	if err != nil {
		panic(err)
	}
	for _, tenant := range []string{"acme", "globex"} {
		_ = byTenant.For(tenant).Do(context.Background(), func(context.Context) error { return nil })
	}
	stats := byTenant.Stats()
	fmt.Println(stats.Closed, "breaker,", stats.Dropped, "dropped,", stats.Successes, "calls")
	// Output: 1 breaker, 1 dropped, 2 calls
}
