package throttle_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker/throttle"
)

func TestEveryCallCountsOnceUnderLoad(t *testing.T) {
	const callers, calls = 16, 3000
	th := must(throttle.New(throttle.Options{Window: 10 * time.Millisecond})) // turns all the time
	var accepted, rejected, ignored, throttled atomic.Int64
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range calls {
				// One that ends in each way. The counts are raised before the throttle's, so that Stats may be short of them.
				call := func(context.Context) error {
					switch (c + i) % 7 {
					case 0:
						ignored.Add(1)
						return throttle.Ignore(errBusy)
					case 1:
						accepted.Add(1)
						return nil
					case 2:
						rejected.Add(1)
						panic("boom")
					case 3:
						rejected.Add(1)
						runtime.Goexit()
					}
					rejected.Add(1)
					return errBusy
				}
				var ended sync.WaitGroup
				run := func() {
					defer func() { _ = recover() }() // the call's panic
					if errors.Is(th.Do(context.Background(), call), throttle.ErrThrottled) {
						throttled.Add(1)
					}
				}
				if (c+i)%7 == 3 {
					ended.Go(run) // a Goexit ends its goroutine
					ended.Wait()
				} else {
					run()
				}
				if i%100 == 0 {
					if s := th.Stats(); s.Probability < 0 || s.Probability > throttle.DefaultMaxReject {
						t.Errorf("%+v", s)
					}
				}
			}
		})
	}
	wg.Wait()
	got := th.Stats()
	if got.Accepted != accepted.Load() || got.Rejected != rejected.Load() || got.Ignored != ignored.Load() ||
		got.Throttled != throttled.Load() || got.Throttled == 0 {
		t.Errorf("%+v; want %d accepted, %d rejected, %d ignored, %d throttled", got,
			accepted.Load(), rejected.Load(), ignored.Load(), throttled.Load())
	}
}
