package limittest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/limittest"
)

// contractOfServer is a whole test of a Taker of one's own, which is called server here. Its buckets are kept by a
// real clock that counts microseconds.
func contractOfServer(t *testing.T) {
	limittest.Run(t, harnessOfServer())
}

func harnessOfServer() limittest.Harness {
	return limittest.Harness{
		New: func(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
			start := time.Now()
			return newServer(func() int64 { return microseconds(start) }, limits...)
		},
		Sleep:      time.Sleep,
		Resolution: time.Microsecond,
		Second:     20 * time.Millisecond,
	}
}

// contractOfServer above is the test. What the suite does with the harness begins like this.
func ExampleRun() {
	taker := harnessOfServer().New(nil, ratelimit.PerMinute(6))
	for _, n := range []int64{4, 4, 8, 0} {
		res, err := taker.Take(context.Background(), "ann", n)
		fmt.Println(res.Allowed, res.Never, res.Remaining, err)
	}
	// Output:
	// true false 2 <nil>
	// false false 2 <nil>
	// false true 2 <nil>
	// true false 2 <nil>
}
