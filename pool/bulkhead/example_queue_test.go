package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/pool/bulkhead"
)

// Two may wait, each for 100 ms at most.
func ExampleReason() {
	b, err := bulkhead.New(bulkhead.Options{
		Name: "users-api", Limit: bulkhead.Fixed(1), MaxQueue: 2, MaxWait: 100 * time.Millisecond,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	call := func(context.Context) error { return nil }
	err = b.Do(context.Background(), func(ctx context.Context) error {
		return b.Do(ctx, call) // waits for the slot of the outer call
	})
	if full, ok := errors.AsType[*bulkhead.FullError](err); ok {
		fmt.Println(full.Reason, errors.Is(err, bulkhead.ErrFull))
	}
	// Output: wait true
}

func ExampleWithPriority() {
	ctx := bulkhead.WithPriority(context.Background(), bulkhead.Sheddable)
	fmt.Println(bulkhead.PriorityOf(ctx) == bulkhead.Sheddable, bulkhead.PriorityOf(context.Background()) == bulkhead.Normal)
	// Output: true true
}
