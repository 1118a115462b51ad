package ratelimit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/ratelimit"
)

func ExampleKeyed() {
	perUser, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Name:   "api",
		Limits: []ratelimit.Limit{ratelimit.PerHour(2)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(perUser.Allow("ann"), perUser.Allow("ann"), perUser.Allow("ann"))
	fmt.Println(perUser.Allow("bob"))
	// Output:
	// true true false
	// true
}

func ExampleKeyed_Take() {
	perUser := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerHour(60)},
	}))
	for _, cost := range []int64{50, 20, 100} {
		res, err := perUser.Take("ann", cost)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("allowed:", res.Allowed, "remaining:", res.Remaining,
			"retry after:", res.RetryAfter.Round(time.Minute), "never:", res.Never)
	}
	// Output:
	// allowed: true remaining: 10 retry after: 0s never: false
	// allowed: false remaining: 10 retry after: 10m0s never: false
	// allowed: false remaining: 10 retry after: 0s never: true
}

// Who may wait takes, and comes back when there will be a token. Whoever asks first then gets it.
func ExampleKeyed_Take_wait() {
	perTenant := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.Every(time.Millisecond)},
	}))
	wait := func(ctx context.Context, tenant string) error {
		for {
			res, err := perTenant.Take(tenant, 1)
			switch {
			case err != nil || res.Allowed:
				return err
			case res.Never:
				return ratelimit.ErrLimited
			}
			select {
			case <-time.After(res.RetryAfter):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	start := time.Now()
	for range 4 {
		if err := wait(context.Background(), "acme"); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(time.Since(start) >= 3*time.Millisecond)
	// Output: true
}

// What a call costs is known when it is over.
func ExampleKeyed_Charge() {
	perUser := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerHour(100)},
	}))
	fmt.Println(perUser.AllowN("ann", 10)) // what is likely
	fmt.Println(perUser.Charge("ann", 30)) // it was 40
	res, err := perUser.Take("ann", 0)
	fmt.Println(res.Remaining, err)
	// Output:
	// true
	// <nil>
	// 60 <nil>
}

func ExampleSubject() {
	perTenant := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[int]{
		Name:   "export",
		Limits: []ratelimit.Limit{ratelimit.PerDay(1)},
	}))
	export := func(context.Context) error { fmt.Println("exporting"); return nil }
	fmt.Println(perTenant.For(42).Do(context.Background(), export))
	fmt.Println(perTenant.For(42).Do(context.Background(), export) != nil)
	fmt.Println(perTenant.For(43).Do(context.Background(), export))
	// Output:
	// exporting
	// <nil>
	// true
	// exporting
	// <nil>
}

func ExampleDoValueFor() {
	perUser := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerSecond(10)},
	}))
	size, err := ratelimit.DoValueFor(context.Background(), perUser, "ann", func(context.Context) (int, error) {
		return 1024, nil
	})
	fmt.Println(size, err)
	// Output: 1024 <nil>
}

func ExampleTaker() {
	perUser := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerHour(1)},
	}))
	taker := ratelimit.TakerOf(perUser)
	for range 2 {
		res, err := taker.Take(context.Background(), "ann", 1)
		fmt.Println(res.Allowed, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleKeyedOptions() {
	// The bound should be well above the keys that are active within the time in which a bucket fills.
	perUser := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits:  []ratelimit.Limit{ratelimit.PerHour(1)},
		MaxKeys: 2,
	}))
	for _, user := range []string{"ann", "bob", "eve", "mallory"} {
		fmt.Println(user, perUser.Allow(user))
	}
	fmt.Printf("%+v\n", perUser.Stats())
	// Output:
	// ann true
	// bob true
	// eve true
	// mallory false
	// {Allowed:3 Denied:1 ShadowDenied:0 Overflowed:2 Keys:2}
}

func ExampleResult() {
	lim := joist.Must(ratelimit.New(ratelimit.Options{Limits: []ratelimit.Limit{ratelimit.PerHour(4)}}))
	res, err := lim.Take(3)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Allowed, res.Remaining, res.ResetAfter.Round(time.Minute))
	// Output: true 1 45m0s
}

func ExampleKeyedStats() {
	perUser := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
		Limits: []ratelimit.Limit{ratelimit.PerHour(2)},
	}))
	for _, user := range []string{"ann", "bob", "ann", "ann"} {
		perUser.Allow(user)
	}
	fmt.Printf("%+v\n", perUser.Stats())
	// Output: {Allowed:3 Denied:1 ShadowDenied:0 Overflowed:0 Keys:2}
}
