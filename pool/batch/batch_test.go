package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/batch"
)

func TestCallsThatComeTogetherGoTogether(t *testing.T) {
	var batches [][]int
	b := newBatcher(t, batch.Options[int, int]{Concurrency: 1, Run: func(ctx context.Context, keys []int) (map[int]int, error) {
		batches = append(batches, keys)
		return double(ctx, keys)
	}})
	found, err := b.GetMany(t.Context(), []int{3, 1, 2, 1})
	if err != nil || len(found) != 3 || found[1] != 2 || found[2] != 4 || found[3] != 6 {
		t.Fatalf("found %v, %v", found, err)
	}
	if len(batches) != 1 || !slices.Equal(batches[0], []int{3, 1, 2}) {
		t.Errorf("batches %v, want one with 3 1 2", batches)
	}
	if s := b.Stats(); s.OK != 3 || s.Batches != 1 || s.Pending != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAFullBatchGoesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(t, batch.Options[int, int]{Run: double, Linger: true, MaxWait: time.Hour, MaxSize: 2})
		begun := time.Now()
		first, second := get(t.Context(), b, 1), get(t.Context(), b, 2)
		want(t, first, 2, nil)
		want(t, second, 4, nil)
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestABatchThatLingersGoesMaxWaitAfterItsFirstCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(t, batch.Options[int, int]{Run: double, Linger: true, MaxWait: time.Second})
		begun := time.Now()
		first := get(t.Context(), b, 1)
		time.Sleep(900 * time.Millisecond)
		second := get(t.Context(), b, 2)
		<-first
		if waited := time.Since(begun); waited != time.Second {
			t.Errorf("waited %v, want 1s", waited)
		}
		want(t, second, 4, nil)
		if s := b.Stats(); s.Batches != 1 {
			t.Errorf("%d batches, want 1", s.Batches)
		}
	})
}

func TestACallWithoutTheTimeToLingerMakesTheBatchGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(t, batch.Options[int, int]{Run: double, Linger: true, MaxWait: time.Second})
		patient := get(t.Context(), b, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		hurried := get(ctx, b, 2)
		want(t, hurried, 4, nil)
		want(t, patient, 2, nil)
	})
}

func TestNoBatchIsAboveMaxBytesButASingleKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var batches [][]int
		b := newBatcher(t, batch.Options[int, int]{
			Linger: true, MaxBytes: 10, SizeOf: func(key int) int { return key },
			Run: func(ctx context.Context, keys []int) (map[int]int, error) {
				mu.Lock()
				defer mu.Unlock()
				batches = append(batches, keys)
				return double(ctx, keys)
			},
		})
		if _, err := b.GetMany(t.Context(), []int{4, 6, 4, 5, 99, 1}); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(batches, slices.Compare)
		if got := fmt.Sprint(batches); got != "[[1] [4 6] [5] [99]]" {
			t.Errorf("batches %v", got)
		}
	})
}

func TestBatchesGrowWhileAllPlacesAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated()
		b := newBatcher(t, batch.Options[int, int]{Run: g.run, Concurrency: 1})
		first := get(t.Context(), b, 0)
		var rest []<-chan answer
		for key := 1; key <= 50; key++ {
			rest = append(rest, get(t.Context(), b, key))
		}
		if s := b.Stats(); s.Running != 1 || s.Pending != 50 {
			t.Fatalf("%+v", s)
		}
		close(g.gate)
		want(t, first, 0, nil)
		for i, got := range rest {
			want(t, got, 2*(i+1), nil)
		}
		if s := b.Stats(); s.Batches != 2 {
			t.Errorf("%d batches, want 2", s.Batches)
		}
	})
}

func TestNoMoreBatchesRunThanConcurrencyAllows(t *testing.T) {
	var running, most atomic.Int32
	b := newBatcher(t, batch.Options[int, int]{Concurrency: 3, MaxSize: 5, Run: func(ctx context.Context, keys []int) (map[int]int, error) {
		for n := running.Add(1); ; {
			if old := most.Load(); n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		defer running.Add(-1)
		return double(ctx, keys)
	}})
	var wg sync.WaitGroup
	for key := range 10_000 {
		wg.Go(func() {
			if v, err := b.Get(context.Background(), key); v != 2*key || err != nil {
				t.Errorf("key %d: %d, %v", key, v, err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d batches ran at once, want 3 at most", most.Load())
	}
	if s := b.Stats(); s.OK != 10_000 || s.Batches < 2_000 {
		t.Errorf("%+v", s)
	}
}

// No timer stands between a lone call and its batch: time does not pass.
func TestALoneCallWaitsForNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(t, batch.Options[int, int]{Run: double, MaxWait: time.Hour})
		begun := time.Now()
		if v, err := b.Get(t.Context(), 1); v != 2 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestAKeyThatNobodyWaitsForIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated()
		b := newBatcher(t, batch.Options[int, int]{Run: g.run, Linger: true})
		ctx, cancel := context.WithCancel(t.Context())
		leaves, stays, also := get(ctx, b, 1), get(t.Context(), b, 2), get(t.Context(), b, 3)
		cancel()
		want(t, leaves, 0, context.Canceled)
		again := get(t.Context(), b, 1) // asked for anew, after the others
		time.Sleep(batch.DefaultMaxWait)
		if keys := <-g.began; !slices.Equal(keys, []int{2, 3, 1}) {
			t.Errorf("keys %v, want 2 3 1", keys)
		}
		close(g.gate)
		want(t, stays, 4, nil)
		want(t, also, 6, nil)
		want(t, again, 2, nil)
	})
}

func TestABatchThatEverybodyLeftDoesNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(t, batch.Options[int, int]{Linger: true, Run: func(context.Context, []int) (map[int]int, error) {
			t.Error("ran")
			return nil, nil
		}})
		ctx, cancel := context.WithCancel(t.Context())
		got := get(ctx, b, 1)
		cancel()
		want(t, got, 0, context.Canceled)
		time.Sleep(time.Second)
		if s := b.Stats(); s.Batches != 0 || s.Pending != 0 || s.Running != 0 || s.Cancelled != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhoLeavesARunningBatchLeavesItToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated()
		b := newBatcher(t, batch.Options[int, int]{Run: g.run, Linger: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		leaves, stays := get(ctx, b, 1), get(t.Context(), b, 2)
		time.Sleep(2 * time.Second)
		want(t, leaves, 0, context.DeadlineExceeded)
		close(g.gate)
		want(t, stays, 4, nil)
	})
}

func TestMoreThanMaxPendingCallsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(t, batch.Options[int, int]{Run: double, Linger: true, MaxPending: 2})
		first, second := get(t.Context(), b, 1), get(t.Context(), b, 1)
		_, err := b.Get(t.Context(), 2)
		var full *batch.FullError
		if !errors.Is(err, batch.ErrFull) || !errors.As(err, &full) || !full.Refused() || full.Pending != 2 {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Second)
		want(t, first, 2, nil)
		want(t, second, 2, nil)
		if s := b.Stats(); s.Rejected != 1 || s.OK != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestBatchesEndWithTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated()
		b := newBatcher(t, batch.Options[int, int]{Run: g.run, Timeout: time.Second})
		got := get(t.Context(), b, 1)
		time.Sleep(time.Second)
		want(t, got, 0, context.DeadlineExceeded)
	})
}

func TestOptionsAreCheckedAllAtOnce(t *testing.T) {
	_, err := batch.New(batch.Options[int, int]{MaxSize: -1, MaxBytes: 1, MaxWait: -1, Concurrency: -1, MaxPending: -1, Timeout: -2})
	if err == nil {
		t.Fatal("no error")
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 7 {
		t.Errorf("want 7 faults, got: %v", err)
	}
}
