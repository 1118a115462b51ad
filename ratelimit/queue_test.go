package ratelimit_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// A wait that is not begun is in nobody's way, not for a moment either: those that fit are not told that they would have
// to wait for it.
func TestAWaitThatIsNotBegunDelaysNoOther(t *testing.T) {
	const served, late = 200, 4
	for name, n := range map[string]int64{"more than ever fits": 1 << 40, "more than fits in time": 1_000_000} {
		t.Run(name, func(t *testing.T) {
			l := newWaiting(t, ratelimit.Options{MaxWait: time.Minute}, ratelimit.PerSecond(5000).WithBurst(2_000_000))
			l.AllowN(2_000_000)
			var others, all sync.WaitGroup
			var done atomic.Bool
			for range late {
				others.Go(func() {
					for !done.Load() {
						if l.WaitN(context.Background(), n) == nil {
							t.Error("what cannot be had in time was served")
						}
					}
				})
			}
			for range 2 {
				all.Go(func() {
					for range served / 2 {
						if err := l.Wait(t.Context()); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			done.Store(true)
			others.Wait()
		})
	}
}
