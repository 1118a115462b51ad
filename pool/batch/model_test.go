package batch_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/pool/batch"
)

// Whatever callers, batches and time do: every call ends, with its own key's answer, its own context's error or its own
// batch's end; no batch is larger than it may be; no more of them run than may; and every call is counted once.
func TestEveryCallGetsItsOwnAnswerWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			const maxSize, places, pending = 4, 2, 12
			var running, ended atomic.Int64
			b, err := batch.New(batch.Options[int, int]{
				MaxSize: maxSize, Concurrency: places, MaxPending: pending, Logger: quiet,
				Linger: rapid.Bool().Draw(t, "linger"), Timeout: time.Minute,
				Run: func(ctx context.Context, keys []int) (map[int]int, error) {
					if n := running.Add(1); n > places || len(keys) > maxSize || len(keys) == 0 {
						t.Errorf("%d batches run, one with %d keys", n, len(keys))
					}
					defer running.Add(-1)
					found, errs := make(map[int]int), make(batch.Errors[int])
					for _, key := range keys {
						time.Sleep(time.Millisecond)
						switch key % 10 {
						case 6:
							errs[key] = errRun
						case 7: // missing
						case 8:
							if key == 8 {
								panic("boom")
							}
							runtime.Goexit()
						case 9:
							<-ctx.Done()
							return nil, ctx.Err()
						default:
							found[key] = 2 * key
						}
					}
					return found, errs
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			made := 0
			call := func(ctx context.Context, key int, cancel context.CancelFunc) {
				made++
				go func() {
					defer cancel()
					v, err := b.Get(ctx, key)
					ended.Add(1)
					switch {
					case err == nil && v == 2*key && key%10 < 6:
					case errors.Is(err, context.Canceled) && ctx.Err() != nil:
					case errors.Is(err, context.DeadlineExceeded):
					case errors.Is(err, errRun) && key%10 == 6:
					case errors.Is(err, batch.ErrMissing) && key%10 == 7:
					case errors.Is(err, batch.ErrGoexit), errors.Is(err, batch.ErrFull):
					default:
						if _, ok := errors.AsType[*batch.PanicError](err); !ok {
							t.Errorf("key %d: %d, %v", key, v, err)
						}
					}
				}()
			}
			for range rapid.IntRange(1, 60).Draw(t, "steps") {
				switch rapid.IntRange(0, 4).Draw(t, "step") {
				case 0:
					time.Sleep(time.Duration(rapid.IntRange(0, 5000).Draw(t, "µs")) * time.Microsecond)
				case 1:
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rapid.IntRange(0, 5).Draw(t, "ms"))*time.Millisecond)
					call(ctx, rapid.IntRange(0, 19).Draw(t, "key"), cancel)
				case 2:
					ctx, cancel := context.WithCancel(context.Background())
					call(ctx, rapid.IntRange(0, 5).Draw(t, "key"), cancel)
					if rapid.Bool().Draw(t, "settled") {
						synctest.Wait()
					}
					cancel()
				default:
					call(context.Background(), rapid.IntRange(0, 19).Draw(t, "key"), func() {})
				}
				if s := b.Stats(); s.Pending > pending {
					t.Fatalf("%+v", s)
				}
			}
			time.Sleep(time.Hour) // the longest that anything takes
			synctest.Wait()
			s := b.Stats()
			sum := s.OK + s.Failed + s.Missing + s.Panicked + s.Cancelled + s.Rejected
			if ended.Load() != int64(made) || sum != int64(made) || s.Pending != 0 || s.Running != 0 || running.Load() != 0 {
				t.Fatalf("%d calls made, %d ended: %+v", made, ended.Load(), s)
			}
			if err := b.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
	})
}
