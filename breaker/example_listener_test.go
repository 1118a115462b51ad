package breaker_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/joist-go/joist/breaker"
)

func ExampleTransition() {
	b, err := breaker.New(breaker.Options{
		Name:     "users-api",
		MinCalls: 4,
		OnStateChange: func(t breaker.Transition) {
			fmt.Printf("%s: %v to %v, %.0f%% failed\n", t.Name, t.From, t.To, 100*t.FailureRatio)
		},
	})
	if err != nil {
		panic(err)
	}
	for i := range 4 {
		_ = b.Do(context.Background(), func(context.Context) error {
			if i == 0 {
				return nil
			}
			return errors.New("down")
		})
	}
	// Output: users-api: closed to open, 75% failed
}

func ExampleStats() {
	b, err := breaker.New(breaker.Options{Window: breaker.Last(breaker.DefaultWindow)})
	if err != nil {
		panic(err)
	}
	_ = b.Do(context.Background(), func(context.Context) error { return nil })
	_ = b.Do(context.Background(), func(context.Context) error { return errors.New("down") })
	s := b.Stats()
	fmt.Println(s.State, s.WindowCalls, s.FailureRatio)
	// Output: closed 2 0.5
}
