package balance_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/pool/balance"
	"github.com/joist-go/joist/retry"
)

// The attempts of one call go to different servers, each behind a breaker of its own. Two of the three are down.
func ExampleCall() {
	var (
		bl       = joist.Must(balance.New(balance.Options[string]{Name: "users-api", Endpoints: addresses}))
		retries  = joist.Must(retry.New(retry.Options{Name: "users-api", Backoff: retry.Constant(time.Millisecond)}))
		breakers = joist.Must(breaker.NewKeyed(breaker.KeyedOptions[string]{Options: breaker.Options{Name: "users-api"}}))
	)
	send := func(ctx context.Context, address string) error {
		return breakers.For(address).Do(ctx, func(context.Context) error {
			if address != "10.0.0.3:8080" {
				return errors.New("connection refused")
			}
			fmt.Println("answered by", address)
			return nil
		})
	}

	call := bl.Call()
	err := retries.Do(context.Background(), func(ctx context.Context) error {
		return call.Do(ctx, send)
	})
	fmt.Println(err, call.Tried() <= 3)
	// Output:
	// answered by 10.0.0.3:8080
	// <nil> true
}

func ExampleBalancer_Pick_exclude() {
	bl := joist.Must(balance.New(balance.Options[string]{Name: "users-api", Endpoints: addresses}))
	pick, err := bl.Pick(context.Background(), "10.0.0.1:8080", "10.0.0.2:8080")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pick.Done(nil)
	fmt.Println(pick.Endpoint)
	// Output: 10.0.0.3:8080
}
