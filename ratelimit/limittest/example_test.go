package limittest_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/limittest"
)

// A harness for a Taker whose clock is set by hand: what the suite lets pass is added to it.
func ExampleHarness() {
	var clock atomic.Int64 // microseconds
	origin := time.Now()
	harness := limittest.Harness{
		New: func(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
			return newServer(clock.Load, limits...)
		},
		Sleep:      func(d time.Duration) { clock.Add((d + time.Microsecond - 1).Microseconds()) },
		Now:        func() time.Time { return origin.Add(time.Duration(clock.Load()) * time.Microsecond) },
		Resolution: time.Microsecond,
	}
	// func TestContract(t *testing.T) { limittest.Run(t, harness) }

	taker := harness.New(nil, ratelimit.PerSecond(1))
	for range 3 {
		res, err := taker.Take(context.Background(), "ann", 1)
		fmt.Println(res.Allowed, res.RetryAfter, err)
		harness.Sleep(600 * time.Millisecond)
	}
	// Output:
	// true 0s <nil>
	// false 400ms <nil>
	// true 0s <nil>
}

// A Taker that can charge is tested for it. To be sure that it is, its type can be assigned to the interface.
func ExampleCharger() {
	var charger limittest.Charger = (*server)(nil) // does not compile without the method
	_, can := charger.(ratelimit.Refunder)
	fmt.Println("refunds, too:", can)

	keyed := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{ratelimit.PerHour(10)}}))
	charger = ratelimit.TakerOf(keyed).(limittest.Charger)
	fmt.Println(charger.Charge(context.Background(), "ann", 12), keyed.Allow("ann"))
	fmt.Println(errors.Is(charger.Charge(context.Background(), "ann", -1), ratelimit.ErrNegative))
	// Output:
	// refunds, too: true
	// <nil> false
	// true
}

// A Taker whose limits can be set is tested for it.
func ExampleSetter() {
	keyed := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{ratelimit.PerHour(10)}}))
	taker := ratelimit.TakerOf(keyed)
	keyed.AllowN("ann", 5)
	if setter, ok := taker.(limittest.Setter); ok {
		fmt.Println(setter.SetLimits(context.Background(), "ann", []ratelimit.Limit{ratelimit.PerHour(100)}))
	}
	fmt.Println(keyed.AllowN("ann", 50), keyed.Allow("ann")) // half, as before
	// Output:
	// <nil>
	// true false
}
