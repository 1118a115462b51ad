package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/pool/bulkhead"
)

// A dependency that others use too, and that refuses what is too much.
func ExampleAIMD() {
	b, err := bulkhead.New(bulkhead.Options{
		Name:  "users-api",
		Limit: bulkhead.AIMD{Initial: 50, Timeout: 2 * time.Second},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	overloaded := errors.New("429 Too Many Requests")
	for began := time.Now(); b.Stats().Limit == 50 && time.Since(began) < time.Minute; {
		_ = b.Do(context.Background(), func(context.Context) error {
			time.Sleep(5 * time.Millisecond)
			return bulkhead.Drop(overloaded)
		})
	}
	fmt.Println(b.Stats().Limit)
	// Output: 45
}

// One's own work, whose time tells when there is too much of it.
func ExampleGradient() {
	b, err := bulkhead.New(bulkhead.Options{Name: "reports", Limit: bulkhead.Gradient{Initial: 10, Max: 200}})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = b.Do(context.Background(), func(context.Context) error { return nil })
	fmt.Println(b.Stats().Limit, err)
	// Output: 10 <nil>
}

func ExampleOutcomeOf() {
	for _, err := range []error{nil, context.DeadlineExceeded, errors.New("not found")} {
		switch bulkhead.OutcomeOf(err) {
		case bulkhead.Succeeded:
			fmt.Println("succeeded")
		case bulkhead.Ignored:
			fmt.Println("ignored")
		case bulkhead.Dropped:
			fmt.Println("dropped")
		}
	}
	// Output:
	// succeeded
	// dropped
	// ignored
}

func ExampleDrop() {
	busy := errors.New("the dependency's own word for busy")
	err := fmt.Errorf("users: %w", bulkhead.Drop(busy))
	fmt.Println(err, errors.Is(err, busy))
	// Output: users: the dependency's own word for busy true
}

func ExampleIgnore() {
	canceled := errors.New("the user has closed the page")
	err := bulkhead.Ignore(canceled)
	fmt.Println(err, errors.Is(err, canceled))
	// Output: the user has closed the page true
}

func ExampleBulkhead_SetLimit() {
	b, err := bulkhead.New(bulkhead.Options{Limit: bulkhead.Fixed(50)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(b.SetLimit(20), b.Stats().Limit)
	fmt.Println(b.SetLimit(0))
	// Output:
	// <nil> 20
	// joist/bulkhead: SetLimit: the limit is 0, but must be from 1 to 16777215
}
