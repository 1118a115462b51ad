package balance_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/pool/balance"
)

var addresses = []string{"10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"}

// get stands for a call over the network. One server is down.
func get(_ context.Context, address string) (string, error) {
	if address == "10.0.0.2:8080" {
		return "", errors.New("connection refused")
	}
	return "Ada", nil
}

func ExampleBalancer() {
	bl := joist.Must(balance.New(balance.Options[string]{Name: "users-api", Endpoints: addresses}))
	failed := 0
	for range 1000 {
		err := bl.Do(context.Background(), func(ctx context.Context, address string) error {
			_, err := get(ctx, address)
			return err
		})
		if err != nil {
			failed++
		}
	}
	fmt.Println(failed, "of 1000 calls failed, before the server that is down was left alone")
	// Output: 5 of 1000 calls failed, before the server that is down was left alone
}

func ExampleDoValue() {
	bl := joist.Must(balance.New(balance.Options[string]{Name: "users-api", Endpoints: addresses[:1]}))
	fmt.Println(balance.DoValue(context.Background(), bl, get))
	// Output: Ada <nil>
}

// A stream is opened in one place and ends in another.
func ExamplePick() {
	bl := joist.Must(balance.New(balance.Options[string]{Name: "users-api", Endpoints: addresses[:1]}))
	pick, err := bl.Pick(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("stream to", pick.Endpoint, "in flight:", bl.Stats().InFlight)
	pick.Done(nil)
	fmt.Println("in flight:", bl.Stats().InFlight)
	// Output:
	// stream to 10.0.0.1:8080 in flight: 1
	// in flight: 0
}

func ExampleOptions() {
	_, err := balance.New(balance.Options[string]{Endpoints: []string{"a", "b", "a"}, MaxEjected: 2})
	fmt.Println(err)
	// Output:
	// joist/balance: Options.Endpoints is "a list with a twice", but must have each of them once
	// joist/balance: Options.MaxEjected is 2, but must be above 0 and at most 1 (0 is the default)
}

// The list comes from service discovery, and changes.
func ExampleBalancer_SetEndpoints() {
	bl := joist.Must(balance.New(balance.Options[string]{Name: "users-api"}))
	work := func(context.Context, string) error { return nil }

	err := bl.Do(context.Background(), work)
	fmt.Println(err, errors.Is(err, balance.ErrNone))
	fmt.Println(bl.SetEndpoints(addresses))
	fmt.Println(bl.Do(context.Background(), work))
	// Output:
	// joist/balance: "users-api" has no endpoints true
	// <nil>
	// <nil>
}

// With this every endpoint can be ejected, and calls are refused when all are. By default calls go on: when all
// endpoints seem bad, it is hardly they that are.
func ExampleNoneError() {
	bl := joist.Must(balance.New(balance.Options[string]{
		Name: "users-api", Endpoints: addresses[:1], MaxEjected: 1, PanicAt: balance.Off, EjectFor: time.Hour,
	}))
	var err error
	for range 6 {
		err = bl.Do(context.Background(), func(context.Context, string) error { return errors.New("connection refused") })
	}
	none, ok := errors.AsType[*balance.NoneError](err)
	fmt.Println(err)
	fmt.Println(ok, none.Refused(), none.RetryAfter().Round(time.Minute))
	// Output:
	// joist/balance: "users-api" has no endpoint left: all 1 are ejected
	// true true 1h0m0s
}
