package batch

import (
	"context"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A dependency hangs, and callers come, wait for a moment and leave: what is kept for them does not grow with their number.
func TestCallersWhoComeAndLeaveWhileAllPlacesAreTakenLeaveNothingBehind(t *testing.T) {
	for name, maxSize := range map[string]int{"one open batch": 100, "full batches": 4} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hang := make(chan struct{})
				b := one(t, Options[int, int]{Concurrency: 1, MaxSize: maxSize, Run: func(_ context.Context, keys []int) (map[int]int, error) {
					<-hang
					return map[int]int{keys[0]: keys[0]}, nil
				}})
				go func() { _, _ = b.Get(t.Context(), -1) }()
				synctest.Wait()
				stays := make(chan error)
				go func() {
					_, err := b.Get(t.Context(), -2)
					stays <- err
				}()
				synctest.Wait()
				for key := range 1000 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
					_, _ = b.GetMany(ctx, []int{key, key + 1, key + 2, key + 3, key + 4})
					cancel()
				}
				b.mu.Lock()
				kept := len(b.full)
				for _, x := range append(b.full, b.open) {
					if x != nil {
						kept += len(x.order) + len(x.index)
					}
				}
				if kept > 100 || b.pending != 1 {
					t.Errorf("%d things are kept for %d callers", kept, b.pending)
				}
				b.mu.Unlock()
				close(hang)
				if err := <-stays; err != nil {
					t.Errorf("who stayed: %v", err)
				}
				if err := b.Close(t.Context()); err != nil || b.left != 0 {
					t.Errorf("%v, and %d batches that were left are still counted", err, b.left)
				}
			})
		})
	}
}

// A key that is not equal to itself cannot be looked up in an answer.
func TestAKeyThatIsNotEqualToItselfHasNoAnswerAndKeepsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := one(t, Options[float64, int]{MaxSize: 3, Linger: true, MaxWait: time.Hour, Run: func(_ context.Context, keys []float64) (map[float64]int, error) {
			found := make(map[float64]int)
			for _, key := range keys {
				found[key] = 1
			}
			return found, nil
		}})
		for range 100 { // each leaves before three are together
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Hour)
			go func() {
				synctest.Wait()
				cancel()
			}()
			if _, err := b.Get(ctx, math.NaN()); err != context.Canceled {
				t.Fatal(err)
			}
			if n := len(b.open.index) + len(b.open.order); n > 50 {
				t.Fatalf("%d things are kept of keys that nobody waits for", n)
			}
		}
		found, err := b.GetMany(t.Context(), []float64{math.NaN(), 1, math.NaN()})
		if s := b.Stats(); len(found) != 1 || found[1] != 1 || err == nil || s.Missing != 2 || s.Batches != 1 || s.Pending != 0 {
			t.Errorf("found %v, %v; %+v", found, err, s)
		}
	})
}

// A timer that runs on would keep a batch in memory until MaxWait.
func TestABatchThatIsFullLingersNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := one(t, Options[int, int]{MaxSize: 2, Linger: true, MaxWait: time.Hour, Run: func(context.Context, []int) (map[int]int, error) {
			return map[int]int{1: 1, 2: 2}, nil
		}})
		go func() { _, _ = b.Get(t.Context(), 1) }()
		synctest.Wait()
		first := b.open
		if _, err := b.Get(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if first.timer.Stop() {
			t.Error("the timer of a batch that has run still runs")
		}
	})
}

// Calls that never cease to come would keep a batch from ever being idle.
func TestABatchThatIsNeverIdleGoesAfterMaxWait(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that somebody comes between any two looks
	const enough = 500_000                          // calls, of which some thousands come in MaxWait
	var ran atomic.Bool
	b := one(t, Options[int, int]{MaxWait: time.Millisecond, MaxSize: 2 * enough, MaxPending: 2 * enough,
		Run: func(context.Context, []int) (map[int]int, error) {
			ran.Store(true)
			return nil, nil
		}})
	for n := 0; !ran.Load(); n++ {
		b.join(t.Context(), []place[int, int]{{e: b.ask(n % 10)}})
		runtime.Gosched()
		if n == enough {
			t.Error("the batch collects for ever")
			break
		}
	}
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func one[K comparable, V any](t *testing.T, o Options[K, V]) *Batcher[K, V] {
	t.Helper()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
