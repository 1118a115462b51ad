package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/breaker"
)

// A dependency that has just come up has cold caches and no connections. It gets a tenth of the calls first, and all of
// them after Ramp.
func ExampleOptions_ramp() {
	b, err := breaker.New(breaker.Options{
		MinCalls: 1, OpenFor: time.Millisecond, MaxOpenFor: time.Millisecond, Probes: 1,
		Ramp: time.Hour,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	_ = b.Do(ctx, func(context.Context) error { return errors.New("down") })
	for b.State() != breaker.HalfOpen {
		time.Sleep(time.Millisecond)
	}
	_ = b.Do(ctx, func(context.Context) error { return nil }) // the probe

	admitted := 0
	for range 100 {
		if b.Do(ctx, func(context.Context) error { return nil }) == nil {
			admitted++
		}
	}
	s := b.Stats()
	fmt.Printf("%v, at a share of %.1f: %d of 100 calls went through\n", s.State, s.Share, admitted)
	// Output: closed, at a share of 0.1: 10 of 100 calls went through
}
