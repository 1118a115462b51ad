package flight_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/pool/flight"
)

// A load that does not answer holds nobody up for longer than the group's Timeout, even if it takes no notice.
func ExampleOptions_timeout() {
	g, err := flight.New[string, int](flight.Options{Name: "users", Detached: true, Timeout: 10 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	hung := make(chan struct{})
	_, err = g.Do(context.Background(), "k", func(context.Context) (int, error) { <-hung; return 0, nil })
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))

	// The key is free.
	fmt.Println(g.Do(context.Background(), "k", func(context.Context) (int, error) { return 1, nil }))
	close(hung)
	g.Close(context.Background())
	// Output:
	// joist/flight: load in "users" took longer than 10ms
	// true
	// 1 <nil>
}

func ExampleTimeoutError() {
	g, _ := flight.New[string, int](flight.Options{Name: "users", Timeout: 10 * time.Millisecond})
	_, err := g.Do(context.Background(), "k", func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	})
	if timeout, ok := errors.AsType[*flight.TimeoutError](err); ok {
		fmt.Println("gave up after", timeout.After)
	}
	// Output: gave up after 10ms
}

func ExampleClosedError() {
	g, _ := flight.New[string, int](flight.Options{Name: "users"})
	if err := g.Close(context.Background()); err != nil {
		fmt.Println(err)
	}
	_, err := g.Do(context.Background(), "k", func(context.Context) (int, error) { return 1, nil })
	fmt.Println(err)
	if closed, ok := errors.AsType[*flight.ClosedError](err); ok {
		fmt.Println(closed.Name, closed.Refused(), errors.Is(err, flight.ErrClosed))
	}
	// Output:
	// joist/flight: group "users" is closed
	// users true true
}

// A caller that can leave gets the panic of its load as a PanicError, with the stack of the goroutine that it happened
// on. Callers that had joined the load get the same as an error.
func ExamplePanicError() {
	g, _ := flight.New[string, int](flight.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer func() {
		p := recover().(*flight.PanicError)
		fmt.Println(p.Value, len(p.Stack) > 0)
	}()
	g.Do(ctx, "k", func(context.Context) (int, error) { panic("out of cheese") })
	// Output: out of cheese true
}

func ExampleStats() {
	g, _ := flight.New[string, int](flight.Options{})
	for range 3 {
		g.Do(context.Background(), "k", func(context.Context) (int, error) { return 1, nil })
	}
	fmt.Printf("%+v\n", g.Stats())
	// Output: {Leaders:3 Shared:0 InFlight:0 Panics:0 Timeouts:0 Unheard:0}
}
