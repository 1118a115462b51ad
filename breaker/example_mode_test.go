package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/retry"
)

// A new breaker runs in production as an observer first: it shows what it would refuse, and whether its options fit.
func ExampleMode() {
	b, err := breaker.New(breaker.Options{
		MinCalls: 2,
		Mode:     breaker.Observe,
		OnStateChange: func(t breaker.Transition) {
			fmt.Printf("%v: %v to %v\n", t.Mode, t.From, t.To)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 5 {
		_ = b.Do(context.Background(), func(context.Context) error { return errors.New("down") })
	}
	s := b.Stats()
	fmt.Println(s.State, "refused", s.Refused, "spared", s.Spared)

	b.SetMode(breaker.Normal) // from now on it means it
	fmt.Println(b.Do(context.Background(), func(context.Context) error { return nil }) != nil)
	// Output:
	// observe: closed to open
	// open refused 0 spared 3
	// true
}

// During maintenance nobody calls, whatever the state.
func ExampleBreaker_SetMode() {
	b, err := breaker.New(breaker.Options{Name: "users-api"})
	if err != nil {
		fmt.Println(err)
		return
	}
	call := func() error { return b.Do(context.Background(), func(context.Context) error { return nil }) }
	b.SetMode(breaker.ForcedOpen)
	fmt.Println(b.State(), call())
	b.SetMode(breaker.Normal)
	fmt.Println(b.State(), call())
	// Output:
	// open joist/breaker: "users-api" is forced open
	// closed <nil>
}

// One shard of a dependency is down, and the breaker that guards all of them is open. First attempts still go through,
// and most succeed; only retries are held back.
func ExampleMode_retriesOnly() {
	b, err := breaker.New(breaker.Options{Name: "shards", MinCalls: 4, FailureRatio: 0.25, Mode: breaker.RetriesOnly})
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := retry.New(retry.Options{MaxAttempts: 3, Backoff: retry.Exponential(time.Millisecond, time.Millisecond)})
	if err != nil {
		fmt.Println(err)
		return
	}
	attempts := 0
	call := func(shard int) error {
		return policy.Do(context.Background(), func(ctx context.Context) error {
			return b.Do(ctx, func(context.Context) error {
				attempts++
				if shard == 3 {
					return errors.New("shard 3 is down")
				}
				return nil
			})
		})
	}
	for shard := range 4 {
		_ = call(shard)
	}
	fmt.Println("the breaker is", b.State())
	attempts = 0
	failed := 0
	for n := range 100 {
		if call(n%4) != nil {
			failed++
		}
	}
	fmt.Println(failed, "of 100 calls failed, in", attempts, "attempts")
	// Output:
	// the breaker is open
	// 25 of 100 calls failed, in 100 attempts
}

// All keys change their mode together, and new ones begin with it.
func ExampleKeyed_SetMode() {
	byHost, err := breaker.NewKeyed(breaker.KeyedOptions[string]{})
	if err != nil {
		fmt.Println(err)
		return
	}
	byHost.For("a.example.org")
	byHost.SetMode(breaker.ForcedClosed)
	fmt.Println(byHost.For("a.example.org").Mode(), byHost.For("b.example.org").Mode())
	// Output: forced_closed forced_closed
}
