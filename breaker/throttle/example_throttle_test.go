package throttle_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/joist-go/joist/breaker/throttle"
)

// A service that knows how its dependency says "too much" tells the throttle: every other answer is accepted work.
func ExampleThrottle() {
	errTooMuch, errNotFound := errors.New("429 too many requests"), errors.New("404 not found")
	t, err := throttle.New(throttle.Options{
		Name:        "users-api",
		IsRejection: func(err error) bool { return errors.Is(err, errTooMuch) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	_ = t.Do(ctx, func(context.Context) error { return errNotFound })
	for range 2 {
		_ = t.Do(ctx, func(context.Context) error { return errTooMuch })
	}
	s := t.Stats()
	fmt.Printf("%d requests, %d accepted, reject probability %.2f\n", s.Requests, s.Accepts, s.Probability)
	// Output: 3 requests, 1 accepted, reject probability 0.25
}

// What is refused was not sent. The error says so to a retry outside, and to the caller.
func ExampleThrottledError() {
	t, err := throttle.New(throttle.Options{Name: "users-api", MaxReject: 0.999})
	if err != nil {
		fmt.Println(err)
		return
	}
	sent := 0
	for range 10_000 {
		err := t.Do(context.Background(), func(context.Context) error { sent++; return errors.New("429 too many requests") })
		if refused, ok := errors.AsType[*throttle.ThrottledError](err); ok && refused.Probability > 0.99 {
			fmt.Println(refused.Name, "is throttled:", errors.Is(err, throttle.ErrThrottled), refused.Refused())
			break
		}
	}
	fmt.Println("hardly anything was sent:", sent < 100)
	// Output:
	// users-api is throttled: true true
	// hardly anything was sent: true
}

// A stream begins here and ends elsewhere.
func ExampleThrottle_Allow() {
	t, err := throttle.New(throttle.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	permit, err := t.Allow(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	permit.Done(nil) // when the stream has ended; a second Done is ignored
	permit.Done(errors.New("closed twice"))
	fmt.Println(t.Stats().Accepted, t.Stats().Rejected)
	// Output: 1 0
}
