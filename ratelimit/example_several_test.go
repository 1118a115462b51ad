package ratelimit_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/ratelimit"
)

func ExampleOptions_several() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{
		ratelimit.PerMinute(10).Named("burst"),
		ratelimit.PerDay(15).Named("daily"),
	}}))
	for _, n := range []int64{10, 1, 0} {
		res, err := lim.Take(n)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(n, res.Allowed, res.Limit.Name, res.Remaining, res.RetryAfter.Round(time.Second))
	}
	// Output:
	// 10 true burst 0 0s
	// 1 false burst 0 6s
	// 0 true burst 0 0s
}

// A new limit is tried out beside the one that holds.
func ExampleLimit_Shadowed() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{
		ratelimit.PerHour(5),
		ratelimit.PerHour(3).Named("new").Shadowed(),
	}}))
	for range 6 {
		lim.Allow()
	}
	fmt.Printf("%+v\n", lim.Stats())
	// Output: {Allowed:5 Denied:1 ShadowDenied:3 Waiting:0}
}

func ExampleLimiter_SetLimits() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerHour(100)}}))
	lim.AllowN(75)
	if err := lim.SetLimits([]ratelimit.Limit{ratelimit.PerHour(1000)}); err != nil {
		fmt.Println(err)
		return
	}
	res, err := lim.Take(0)
	fmt.Println(res.Remaining, err) // a quarter, as before
	// Output: 250 <nil>
}

func ExampleKeyed_tiers() {
	gold := []ratelimit.Limit{ratelimit.PerHour(3).Named("gold")} // made once: keys share it
	perUser := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerHour(1)},
		LimitsFor: func(user string) []ratelimit.Limit {
			if strings.HasPrefix(user, "gold:") {
				return gold
			}
			return nil // the plain ones
		},
	}))
	for range 2 {
		fmt.Println(perUser.Allow("gold:ann"), perUser.Allow("bob"))
	}
	// Output:
	// true true
	// true false
}

func ExampleKeyed_SetLimits() {
	perUser := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerHour(10)},
	}))
	perUser.AllowN("ann", 5)
	fmt.Println(perUser.SetLimits("ann", []ratelimit.Limit{ratelimit.PerHour(100)}))
	fmt.Println(perUser.AllowN("ann", 50), perUser.Allow("ann"))
	// Output:
	// <nil>
	// true false
}

func ExampleChain() {
	service := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerHour(3).Named("service")}}))
	perTenant := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{ratelimit.PerHour(2).Named("tenant")}}))
	perUser := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{ratelimit.PerHour(1).Named("user")}}))
	tenantOf := func(user string) string { tenant, _, _ := strings.Cut(user, "/"); return tenant }

	chain := ratelimit.Chain(service.Taker(), ratelimit.Rekeyed(ratelimit.TakerOf(perTenant), tenantOf), ratelimit.TakerOf(perUser))
	for _, user := range []string{"acme/ann", "acme/ann", "acme/bob", "acme/eve", "best/fay", "best/gus"} {
		res, err := chain.Take(context.Background(), user, 1)
		fmt.Println(user, res.Allowed, res.Limit.Name, err)
	}
	// Output:
	// acme/ann true user <nil>
	// acme/ann false user <nil>
	// acme/bob true tenant <nil>
	// acme/eve false tenant <nil>
	// best/fay true service <nil>
	// best/gus false service <nil>
}

func ExampleRefunder() {
	perUser := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: []ratelimit.Limit{ratelimit.PerHour(10)}}))
	service := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerHour(100)}}))
	ctx := context.Background()
	for _, taker := range []ratelimit.Refunder{ratelimit.TakerOf(perUser), service.Taker()} {
		if _, err := taker.Take(ctx, "ann", 8); err != nil {
			fmt.Println(err)
			return
		}
		err := taker.Refund(ctx, "ann", 5) // the call was smaller than it seemed
		res, _ := taker.Take(ctx, "ann", 0)
		fmt.Println(res.Remaining, err)
	}
	// Output:
	// 7 <nil>
	// 97 <nil>
}
