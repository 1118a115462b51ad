package batch_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/joist-go/joist/pool/batch"
)

// Callers come and leave at any moment, on all cores, while batches open, fill, wait, run and are swept away.
func TestCallersWhoLeaveAtAnyMomentMixUpNothing(t *testing.T) {
	for name, o := range map[string]batch.Options[int, int]{
		"idle":      {MaxSize: 5, Concurrency: 2},
		"one place": {MaxSize: 2, Concurrency: 1},
		"linger":    {MaxSize: 5, Linger: true, MaxWait: 50 * time.Microsecond},
		"bytes":     {MaxBytes: 20, SizeOf: func(key int) int { return key % 7 }, MaxPending: 30},
	} {
		t.Run(name, func(t *testing.T) {
			const callers, calls = 16, 400
			o.Run = double
			b := newBatcher(t, o)
			var all sync.WaitGroup
			for caller := range callers {
				all.Go(func() {
					random := rand.New(rand.NewPCG(1, uint64(caller)))
					for range calls {
						ctx, cancel := context.WithCancel(context.Background())
						if random.IntN(2) == 0 {
							go cancel()
						}
						key := random.IntN(50)
						v, err := b.Get(ctx, key)
						switch {
						case err == nil && v == 2*key:
						case errors.Is(err, batch.ErrFull):
						case errors.Is(err, context.Canceled) && ctx.Err() != nil:
						default:
							t.Errorf("key %d: %d, %v", key, v, err)
						}
						cancel()
					}
				})
			}
			all.Wait()
			if err := b.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			s := b.Stats()
			if s.OK+s.Cancelled+s.Rejected != callers*calls || s.Pending != 0 || s.Running != 0 || s.Extra+s.Missing+s.Failed != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}
