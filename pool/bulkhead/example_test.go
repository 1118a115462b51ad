package bulkhead_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/joist-go/joist/pool/bulkhead"
)

func ExampleBulkhead() {
	b, err := bulkhead.New(bulkhead.Options{Name: "users-api", Limit: bulkhead.Fixed(50)})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = b.Do(context.Background(), func(ctx context.Context) error {
		fmt.Println("calling")
		return nil
	})
	fmt.Println(err)
	// Output:
	// calling
	// <nil>
}

func ExampleDoValue() {
	b, err := bulkhead.New(bulkhead.Options{Limit: bulkhead.Fixed(50)})
	if err != nil {
		fmt.Println(err)
		return
	}
	user, err := bulkhead.DoValue(context.Background(), b, func(ctx context.Context) (string, error) {
		return "Ada", nil
	})
	fmt.Println(user, err)
	// Output: Ada <nil>
}

func ExampleFullError() {
	b, err := bulkhead.New(bulkhead.Options{Name: "users-api", Limit: bulkhead.Fixed(1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	call := func(context.Context) error { return nil }
	err = b.Do(context.Background(), func(ctx context.Context) error {
		return b.Do(ctx, call) // the only slot is taken by the outer call
	})
	if full, ok := errors.AsType[*bulkhead.FullError](err); ok {
		fmt.Println(full)
		fmt.Println("in flight:", full.InFlight, "refused:", full.Refused(), "hint:", full.RetryAfter() > 0)
	}
	// Output:
	// joist/bulkhead: "users-api" is full: 1 of 1 calls in flight
	// in flight: 1 refused: true hint: false
}

func ExampleOptions() {
	_, err := bulkhead.New(bulkhead.Options{Limit: bulkhead.Fixed(0)})
	fmt.Println(err)
	// Output: joist/bulkhead: Options.Limit is 0, but must be from 1 to 16777215
}

func ExampleFixed() {
	perSecond, seconds := 200.0, 0.05 // Little's law, and room for bursts
	b, err := bulkhead.New(bulkhead.Options{Limit: bulkhead.Fixed(3 * perSecond * seconds)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(b.Stats().Limit)
	// Output: 30
}

func ExampleLimit() {
	limits := map[string]bulkhead.Limit{"users-api": bulkhead.Fixed(50), "reports-api": bulkhead.Fixed(5)}
	for _, name := range []string{"users-api", "reports-api"} {
		b, err := bulkhead.New(bulkhead.Options{Name: name, Limit: limits[name]})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(name, b.Stats().Limit)
	}
	// Output:
	// users-api 50
	// reports-api 5
}

func ExampleStats() {
	b, err := bulkhead.New(bulkhead.Options{Limit: bulkhead.Fixed(2)})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = b.Do(context.Background(), func(context.Context) error {
		s := b.Stats()
		fmt.Println(s.InFlight, "of", s.Limit)
		return nil
	})
	fmt.Println(b.Stats().InFlight, "of", b.Stats().Limit)
	// Output:
	// 1 of 2
	// 0 of 2
}
