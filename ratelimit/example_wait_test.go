package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/ratelimit"
)

func ExampleLimiter_Wait() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.Every(time.Millisecond)}}))
	start := time.Now()
	for range 4 {
		if err := lim.Wait(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(time.Since(start) >= 3*time.Millisecond)
	// Output: true
}

// A wait that cannot end in time is not begun.
func ExampleLimiter_Wait_deadline() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerHour(1)}}))
	lim.Allow()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := lim.Wait(ctx)
	fmt.Println(errors.Is(err, ratelimit.ErrLimited), errors.Is(err, context.DeadlineExceeded))
	// Output: true true
}

func ExampleOptions_maxWait() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{
		Limits:     []ratelimit.Limit{ratelimit.Every(time.Millisecond)},
		MaxWait:    time.Second, // Do waits
		MaxWaiters: 100,
	}))
	for range 2 {
		fmt.Println(lim.Do(context.Background(), func(context.Context) error { return nil }))
	}
	// Output:
	// <nil>
	// <nil>
}

func ExampleReservation() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.Every(time.Hour)}}))
	lim.Allow()
	r, err := lim.Reserve(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("in", r.Delay().Round(time.Minute))
	r.Cancel() // that is too late
	r, err = lim.Reserve(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("in", r.Delay().Round(time.Minute))
	// Output:
	// in 1h0m0s
	// in 1h0m0s
}

// What a call costs is known when it is over: it takes what is likely, and settles the difference.
func ExampleLimiter_Charge() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerHour(100)}}))
	for _, cost := range []int64{2, 40} {
		if !lim.AllowN(10) {
			return
		}
		var err error
		if cost < 10 {
			err = lim.Refund(10 - cost)
		} else {
			err = lim.Charge(cost - 10)
		}
		res, _ := lim.Take(0)
		fmt.Println(res.Remaining, err)
	}
	// Output:
	// 98 <nil>
	// 58 <nil>
}
