package retry_test

import (
	"fmt"
	"time"

	"github.com/joist-go/joist/retry"
)

// waits returns the waits after the first five attempts, without jitter, which would make them random.
func waits(b retry.Backoff) (all []time.Duration) {
	b = b.WithJitter(retry.None)
	for attempt := range 5 {
		all = append(all, b.Delay(attempt+1, 0))
	}
	return all
}

func ExampleConstant() {
	fmt.Println(waits(retry.Constant(time.Second)))
	// Output: [1s 1s 1s 1s 1s]
}

func ExampleLinear() {
	fmt.Println(waits(retry.Linear(time.Second, 4*time.Second)))
	// Output: [1s 2s 3s 4s 4s]
}

func ExampleExponential() {
	fmt.Println(waits(retry.Exponential(time.Second, 10*time.Second)))
	// Output: [1s 2s 4s 8s 10s]
}

// Each wait is chosen between the base and three times the wait before.
func ExampleDecorrelated() {
	backoff := retry.Decorrelated(time.Second, time.Minute)
	inRange, previous := true, time.Second
	for attempt := range 100 {
		d := backoff.Delay(attempt+1, previous)
		inRange = inRange && time.Second <= d && d <= min(3*previous, time.Minute)
		previous = d
	}
	fmt.Println(inRange)
	// Output: true
}

func ExampleJitter() {
	for _, jitter := range []retry.Jitter{retry.Full, retry.Equal, retry.None} {
		backoff := retry.Constant(time.Second).WithJitter(jitter)
		least, greatest := time.Hour, time.Duration(0)
		for range 1000 {
			d := backoff.Delay(1, 0)
			least, greatest = min(least, d), max(greatest, d)
		}
		fmt.Println(jitter, least.Round(100*time.Millisecond), greatest.Round(100*time.Millisecond))
	}
	// Output:
	// Full 0s 1s
	// Equal 500ms 1s
	// None 1s 1s
}
