package balance_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/pool/balance"
)

func ExampleStats() {
	bl := joist.Must(balance.New(balance.Options[string]{Name: "users-api", Endpoints: addresses}))
	for range 1000 {
		_, _ = balance.DoValue(context.Background(), bl, get)
	}
	s := bl.Stats()
	fmt.Println(s.Ready, "ready,", s.Ejected, "ejected;", s.Successes, "successes,", s.Failures, "failures")
	// Output: 2 ready, 1 ejected; 995 successes, 5 failures
}

// Metrics do not name endpoints. A page for operators may.
func ExampleEndpoint() {
	bl := joist.Must(balance.New(balance.Options[string]{Name: "users-api", Endpoints: addresses}))
	for range 1000 {
		_, _ = balance.DoValue(context.Background(), bl, get)
	}
	for _, e := range bl.Endpoints() {
		fmt.Println(e.Endpoint, e.State)
	}
	// Output:
	// 10.0.0.1:8080 ready
	// 10.0.0.2:8080 ejected
	// 10.0.0.3:8080 ready
}

func ExampleState() {
	fmt.Println(balance.Ready, balance.SlowStart, balance.Suspect, balance.Ejected)
	// Output: ready slow_start suspect ejected
}

// An answer that says no is an answer.
func ExampleOptions_isFailure() {
	notFound := errors.New("not found")
	bl := joist.Must(balance.New(balance.Options[string]{
		Name: "users-api", Endpoints: addresses[:1],
		IsFailure: func(err error) bool { return !errors.Is(err, notFound) },
	}))
	_ = bl.Do(context.Background(), func(context.Context, string) error { return notFound })
	_ = bl.Do(context.Background(), func(context.Context, string) error { return balance.Ignore(errors.New("my own mistake")) })
	s := bl.Stats()
	fmt.Println(s.Successes, s.Failures, s.Ignored)
	// Output: 1 0 1
}
