package ratelimithttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/ratelimithttp"
)

func ExampleOptions_policies() {
	limits := []ratelimit.Limit{ratelimit.PerMinute(2).Named("burst"), ratelimit.PerDay(1000).Named("daily")}
	perClient := joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits}))
	limit := ratelimithttp.Middleware(ratelimit.TakerOf(perClient), ratelimithttp.Options{
		Key:          ratelimithttp.ClientIP(),
		Policies:     limits,
		LegacyFields: true,
	})
	handler := limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	for _, field := range []string{"RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
		fmt.Printf("%s: %s\n", field, w.Header().Get(field))
	}
	// Output:
	// RateLimit-Policy: "burst";q=2;w=60, "daily";q=1000;w=86400
	// RateLimit: "burst";r=1;t=30
	// X-RateLimit-Limit: 2
	// X-RateLimit-Remaining: 1
	// X-RateLimit-Reset: 30
}

func ExampleParseLimits() {
	answer := http.Header{}
	answer.Add("RateLimit", `"burst";r=0;t=7, "daily";r=911`)
	limits, err := ratelimithttp.ParseLimits(answer)
	if err != nil {
		return // to be ignored
	}
	for _, l := range limits {
		if l.Remaining == 0 && l.HasReset {
			fmt.Printf("%s: nothing left for %v\n", l.Name, l.Reset)
		}
	}
	// Output:
	// burst: nothing left for 7s
}

func ExampleParsePolicies() {
	answer := http.Header{}
	answer.Add("RateLimit-Policy", `"burst";q=100;w=60, "daily";q=1000;w=86400`)
	policies, err := ratelimithttp.ParsePolicies(answer)
	if err != nil {
		return // to be ignored
	}
	for _, p := range policies {
		fmt.Printf("%s: %d %s in %v\n", p.Name, p.Quota, p.Unit, p.Window)
	}
	_, err = ratelimithttp.ParsePolicies(http.Header{"Ratelimit-Policy": {"100;w=60"}})
	fmt.Println(errors.Is(err, ratelimithttp.ErrMalformed))
	// Output:
	// burst: 100 requests in 1m0s
	// daily: 1000 requests in 24h0m0s
	// true
}

func ExampleServiceLimit() {
	limits, err := ratelimithttp.ParseLimits(http.Header{"Ratelimit": {`"default";r=50;t=30`}})
	fmt.Printf("%+v %v\n", limits, err)
	// Output:
	// [{Name:default Remaining:50 Reset:30s HasReset:true PartitionKey:}] <nil>
}

func ExampleQuotaPolicy() {
	policies, err := ratelimithttp.ParsePolicies(http.Header{"Ratelimit-Policy": {`"peruser";q=65535;qu="content-bytes";w=10`}})
	fmt.Printf("%+v %v\n", policies, err)
	// Output:
	// [{Name:peruser Quota:65535 Unit:content-bytes Window:10s PartitionKey:}] <nil>
}
