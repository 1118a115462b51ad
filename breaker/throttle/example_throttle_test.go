package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"time"

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
		if refused, ok := errors.AsType[*throttle.ThrottledError](err); ok && refused.Probability > 0.9 {
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

// A client that calls seldom waits for a few calls more before it refuses any, and forgets sooner.
func ExampleOptions() {
	t, err := throttle.New(throttle.Options{Name: "reports", K: 1.5, Window: 30 * time.Second, MinCalls: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 9 {
		_ = t.Do(context.Background(), func(context.Context) error { return errors.New("429 too many requests") })
	}
	fmt.Printf("after %d rejections the reject probability is %v\n", t.Stats().Rejected, t.Stats().Probability)
	_, err = throttle.New(throttle.Options{K: 0.5, MaxReject: 1})
	fmt.Println(err)
	// Output:
	// after 9 rejections the reject probability is 0
	// joist/throttle: Options.K is 0.5, but must be from 1 to 1000 (0 is the default)
	// joist/throttle: Options.MaxReject is 1, but must be above 0 and below 1 (0 is the default)
}

// What a permit is told last counts for nothing: the first word holds, and one that is never told anything is no call.
func ExamplePermit() {
	t, err := throttle.New(throttle.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	call := func() error {
		permit, err := t.Allow(context.Background())
		if err != nil {
			return err
		}
		defer permit.Done(errors.New("left early")) // unless the end was reached
		permit.Done(nil)
		return nil
	}
	fmt.Println(call(), t.Stats().Accepted, t.Stats().Rejected)
	// Output: <nil> 1 0
}

// Throttled and Rejected since the start tell what was spared and what was sent in vain.
func ExampleStats() {
	t, err := throttle.New(throttle.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 1000 {
		_ = t.Do(context.Background(), func(context.Context) error { return errors.New("429 too many requests") })
	}
	s := t.Stats()
	fmt.Println(s.Throttled+s.Rejected, "calls; most were not sent:", s.Throttled > s.Rejected)
	fmt.Println(s.Probability)
	// Output:
	// 1000 calls; most were not sent: true
	// 0.9
}
