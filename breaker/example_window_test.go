package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist/breaker"
)

// A nightly export makes a call now and then. The last few calls say more about it than the last seconds.
func ExampleLastCalls() {
	b, err := breaker.New(breaker.Options{Name: "archive", Window: breaker.LastCalls(4), FailureRatio: 0.5})
	if err != nil {
		fmt.Println(err)
		return
	}
	down := errors.New("down")
	for _, result := range []error{down, nil, nil, nil, nil, down, down} {
		_ = b.Do(context.Background(), func(context.Context) error { return result })
		s := b.Stats()
		fmt.Println(s.State, s.WindowFailures)
	}
	// Output:
	// closed 1
	// closed 1
	// closed 1
	// closed 1
	// closed 0
	// closed 1
	// open 0
}

// Three failures one after the other are enough, though the ratio asks for twenty calls before it decides.
func ExampleOptions_consecutiveFailures() {
	b, err := breaker.New(breaker.Options{Name: "ledger", ConsecutiveFailures: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		_ = b.Do(context.Background(), func(context.Context) error { return errors.New("down") })
		fmt.Println(b.State())
	}
	// Output:
	// closed
	// closed
	// open
}

// A dependency that answers, but too late, opens the breaker too, and so would one that does not answer at all: a call is
// counted as slow while it hangs.
func ExampleOptions_slowCall() {
	b, err := breaker.New(breaker.Options{Name: "search", MinCalls: 2, SlowCall: time.Millisecond, SlowRatio: 0.8})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		_ = b.Do(context.Background(), func(context.Context) error { time.Sleep(2 * time.Millisecond); return nil })
	}
	err = b.Do(context.Background(), func(context.Context) error { return nil })
	if open, ok := errors.AsType[*breaker.OpenError](err); ok {
		fmt.Printf("open: %.0f %% of the calls were slow, %.0f %% failed\n", 100*open.SlowRatio, 100*open.FailureRatio)
	}
	// Output: open: 100 % of the calls were slow, 0 % failed
}
