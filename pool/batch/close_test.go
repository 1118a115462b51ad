package batch_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/batch"
)

func TestCloseHasTheOpenBatchGoAndRefusesNewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(t, batch.Options[int, int]{Run: double, Linger: true, MaxWait: time.Hour})
		got := get(t.Context(), b, 1)
		begun := time.Now()
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if time.Since(begun) != 0 {
			t.Error("Close lingered")
		}
		want(t, got, 2, nil)
		_, err := b.Get(t.Context(), 1)
		if closed, ok := errors.AsType[*batch.ClosedError](err); !ok || !closed.Refused() || !errors.Is(err, batch.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("the second Close: %v", err)
		}
	})
}

func TestCloseCancelsAtTheEndOfItsContextAndAnswersEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated()
		b := newBatcher(t, batch.Options[int, int]{Run: g.run, Concurrency: 1, MaxSize: 1})
		running, queued := get(t.Context(), b, 1), get(t.Context(), b, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		want(t, running, 0, batch.ErrClosed)
		want(t, queued, 0, batch.ErrClosed)
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("when all have returned: %v", err)
		}
	})
}

func TestCloseUnderLoadAnswersEveryCall(t *testing.T) {
	b := newBatcher(t, batch.Options[int, int]{Run: double, MaxSize: 7})
	var answered, refused atomic.Int64
	var wg sync.WaitGroup
	begun := make(chan struct{}, 8)
	for range 8 {
		wg.Go(func() {
			for key := 0; ; key++ {
				v, err := b.Get(context.Background(), key)
				if errors.Is(err, batch.ErrClosed) {
					refused.Add(1)
					return
				}
				if v != 2*key || err != nil {
					t.Errorf("key %d: %d, %v", key, v, err)
					return
				}
				if answered.Add(1); key == 100 {
					begun <- struct{}{}
				}
			}
		})
	}
	<-begun
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wg.Wait()
	s := b.Stats()
	if s.OK != answered.Load() || refused.Load() != 8 || s.Rejected != 8 || s.Pending != 0 || s.Running != 0 {
		t.Errorf("%+v, %d answered", s, answered.Load())
	}
}
