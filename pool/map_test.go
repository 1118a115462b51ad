package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/pool"
)

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func double(_ context.Context, v int) (int, error) { return 2 * v, nil }

func TestMapReturnsResultsInTheOrderOfItsItems(t *testing.T) {
	for _, policy := range []pool.WhenFull{pool.Block, pool.Reject, pool.CallerRuns} {
		for _, queue := range []int{pool.NoQueue, 1, 1000} {
			p := open(t, pool.Options{Workers: 3, Queue: queue, WhenFull: policy})
			got, err := pool.Map(t.Context(), p, upTo(300), double)
			if err != nil || len(got) != 300 {
				t.Fatalf("%v, queue %d: %d results, %v", policy, queue, len(got), err)
			}
			for i, v := range got {
				if v != 2*i {
					t.Fatalf("%v, queue %d: result %d is %d", policy, queue, i, v)
				}
			}
			if s := p.Stats(); s.OK != 300 || s.Rejected != 0 || s.Workers > 3 {
				t.Errorf("%v, queue %d: %+v", policy, queue, s)
			}
		}
	}
}

func TestMapOfNothingReturnsNothingAtOnce(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	got, err := pool.Map(t.Context(), p, nil, double)
	if err != nil || got == nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	if err := pool.ForEach(t.Context(), p, []int{}, func(context.Context, int) error { return errors.New("called") }); err != nil {
		t.Error(err)
	}
	for range pool.MapSeq(t.Context(), p, slices.Values([]int(nil)), double) {
		t.Error("a result of nothing")
	}
}

func TestTheFirstErrorOfAMapCancelsTheRestAndIsNotMasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 4})
		boom := errors.New("boom")
		var began, stopped atomic.Int64
		got, err := pool.Map(t.Context(), p, upTo(100), func(ctx context.Context, v int) (int, error) {
			began.Add(1)
			if v == 2 {
				time.Sleep(time.Second)
				return 0, boom
			}
			<-ctx.Done()
			time.Sleep(time.Second) // it takes its time to stop
			stopped.Add(1)
			return 0, ctx.Err()
		})
		if err != boom || got != nil {
			t.Errorf("got %v, %v", got, err)
		}
		if began.Load() != 4 || stopped.Load() != 3 {
			t.Errorf("%d began, %d had stopped when Map returned", began.Load(), stopped.Load())
		}
		synctest.Wait()
		if s := p.Stats(); s.Queued != 0 || s.Errors != 4 || s.Cancelled != 96 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestARealErrorTakesThePlaceOfACanceledThatCameBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 2})
		boom := errors.New("boom")
		ctx, cancel := context.WithCancel(t.Context())
		began := make(chan struct{})
		err := pool.ForEach(ctx, p, upTo(2), func(ctx context.Context, v int) error {
			if v == 0 {
				<-began
				cancel()
				return fmt.Errorf("fetch: %w", ctx.Err())
			}
			close(began)
			<-ctx.Done()
			time.Sleep(time.Second)
			return boom
		})
		if err != boom {
			t.Errorf("got %v", err)
		}
	})
}

func TestAMapEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := open(t, pool.Options{Workers: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := pool.Map(ctx, p, upTo(10), func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		synctest.Wait() // the worker is told a moment before it is free
		if s := p.Stats(); s.Queued != 0 || s.Running != 0 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestAPanicOfAnItemReachesTheCallerOfMapWithItsStack(t *testing.T) {
	p := open(t, pool.Options{Workers: 2})
	explodes := func(_ context.Context, v int) (int, error) {
		if v == 7 {
			explode("boom")
		}
		return v, nil
	}
	for name, call := range map[string]func(){
		"Map": func() { _, _ = pool.Map(t.Context(), p, upTo(20), explodes) },
		"ForEach": func() {
			_ = pool.ForEach(t.Context(), p, upTo(20), func(ctx context.Context, v int) error { _, err := explodes(ctx, v); return err })
		},
		"MapSeq": func() {
			for range pool.MapSeq(t.Context(), p, slices.Values(upTo(20)), explodes) { //nolint:revive // runs it
			}
		},
	} {
		func() {
			defer func() {
				broke, ok := recover().(*pool.PanicError)
				if !ok || broke.Value != "boom" || !strings.Contains(string(broke.Stack), "pool_test.explode") || !strings.Contains(broke.Error(), "explode") {
					t.Errorf("%s: got %v", name, broke)
				}
			}()
			call()
			t.Errorf("%s returned", name)
		}()
	}
	if s := p.Stats(); s.Panics != 3 || s.Queued != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestAPanicOutOfANestedMapKeepsItsValueAndStack(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	f, err := pool.Submit(t.Context(), p, func(ctx context.Context) (int, error) {
		return 0, pool.ForEach(ctx, p, upTo(2), func(ctx context.Context, _ int) error {
			return pool.ForEach(ctx, p, upTo(2), func(context.Context, int) error { explode("boom"); return nil })
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Wait(t.Context())
	broke, ok := errors.AsType[*pool.PanicError](err)
	if !ok || broke.Value != "boom" || strings.Count(broke.Error(), "joist/pool: the task panicked") != 1 ||
		!strings.Contains(string(broke.Stack), "pool_test.explode") {
		t.Errorf("got %v", err)
	}
}

func TestAPanicErrorThatAnItemReturnsIsAnErrorOfMap(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	broke := &pool.PanicError{Value: "inner"}
	if err := pool.ForEach(t.Context(), p, upTo(3), func(context.Context, int) error { return broke }); err != broke {
		t.Errorf("got %v", err)
	}
}

func TestAGoexitOfAnItemIsAnErrorOfMapWhereverItRuns(t *testing.T) {
	for _, policy := range []pool.WhenFull{pool.Block, pool.Reject, pool.CallerRuns} {
		p := open(t, pool.Options{Workers: 1, Queue: 1, WhenFull: policy})
		for range 5 {
			_, err := pool.Map(t.Context(), p, upTo(20), func(_ context.Context, v int) (int, error) {
				if v%3 == 1 {
					runtime.Goexit()
				}
				return v, nil
			})
			if err != pool.ErrGoexit {
				t.Fatalf("%v: got %v", policy, err)
			}
		}
		run(t.Context(), t, p, nothing)
	}
}

func TestNestedMapsOnAPoolOfOneWorkerEnd(t *testing.T) {
	for _, policy := range []pool.WhenFull{pool.Block, pool.Reject, pool.CallerRuns} {
		for _, queue := range []int{pool.NoQueue, 1, 100} {
			p := open(t, pool.Options{Workers: 1, Queue: queue, WhenFull: policy})
			var leaf func(ctx context.Context, depth int) (int, error)
			leaf = func(ctx context.Context, depth int) (int, error) {
				if depth == 0 {
					return 1, nil
				}
				parts, err := pool.Map(ctx, p, upTo(4), func(ctx context.Context, _ int) (int, error) { return leaf(ctx, depth-1) })
				sum := 0
				for _, v := range parts {
					sum += v
				}
				return sum, err
			}
			if got, err := leaf(t.Context(), 4); got != 256 || err != nil {
				t.Errorf("%v, queue %d: %d leaves, %v", policy, queue, got, err)
			}
		}
	}
}

func TestAMapWhoseFirstItemFindsNoPlaceIsRefusedWithReject(t *testing.T) {
	p := open(t, pool.Options{Workers: 1, Queue: 1, WhenFull: pool.Reject})
	release := occupy(t, p, 1)
	defer release()
	if err := p.Go(t.Context(), nothing); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Map(t.Context(), p, upTo(3), double); !errors.Is(err, pool.ErrFull) {
		t.Errorf("got %v", err)
	}
	if s := p.Stats(); s.Rejected != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestAMapOnAClosedPoolIsRefused(t *testing.T) {
	p := open(t, pool.Options{})
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Map(t.Context(), p, upTo(3), double); !errors.Is(err, pool.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestMapSeqTakesItemsAsTheyAreNeededAndStopsWhereTheLoopDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 3
		p := open(t, pool.Options{Workers: workers})
		taken, want := 0, 0
		results := pool.MapSeq(t.Context(), p, func(yield func(int) bool) {
			for i := 0; ; i++ {
				if taken++; !yield(i) {
					return
				}
			}
		}, func(ctx context.Context, v int) (int, error) {
			select {
			case <-time.After(time.Second):
				return 2 * v, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		})
		synctest.Wait()
		if taken != 0 {
			t.Errorf("%d items are taken before the loop", taken)
		}
		for v, err := range results {
			if v != 2*want || err != nil {
				t.Fatalf("result %d: %v, %v", want, v, err)
			}
			if want++; taken > want+workers {
				t.Fatalf("%d items taken for %d results", taken, want)
			}
			if want == 20 {
				break
			}
		}
		synctest.Wait()
		if s := p.Stats(); s.Running != 0 || s.Queued != 0 {
			t.Errorf("left behind: %+v", s)
		}
	})
}

func TestMapSeqEndsWithTheFirstErrorAfterTheResultsBeforeIt(t *testing.T) {
	p := open(t, pool.Options{Workers: 2})
	boom := errors.New("boom")
	var got []int
	var failed error
	for v, err := range pool.MapSeq(t.Context(), p, slices.Values(upTo(50)), func(_ context.Context, v int) (int, error) {
		if v == 5 {
			return 0, boom
		}
		return v, nil
	}) {
		if failed != nil {
			t.Fatal("there is a result after the error")
		}
		if failed = err; err == nil {
			got = append(got, v)
		}
	}
	if failed != boom || !slices.Equal(got, upTo(5)[:len(got)]) {
		t.Errorf("got %v, %v", got, failed)
	}
}

func TestAPanicInTheLoopOfMapSeqLeavesNothingBehind(t *testing.T) {
	p := open(t, pool.Options{Workers: 2})
	func() {
		defer func() {
			if recover() != "mine" {
				t.Error("another panic")
			}
		}()
		for range pool.MapSeq(t.Context(), p, slices.Values(upTo(50)), double) {
			panic("mine")
		}
	}()
	if s := p.Stats(); s.Queued != 0 {
		t.Errorf("got %+v", s)
	}
}

// lasting is a context that never ends, and counts who wants to be told of its end.
type lasting struct {
	context.Context

	done  chan struct{}
	told  atomic.Int64
	begun atomic.Int64
}

func (l *lasting) Done() <-chan struct{} { return l.done }

func (l *lasting) AfterFunc(func()) (stop func() bool) {
	l.begun.Add(1)
	l.told.Add(1)
	return func() bool { l.told.Add(-1); return true }
}

func TestAMapThatHasEndedLeavesNothingInItsContext(t *testing.T) {
	p := open(t, pool.Options{Workers: 2})
	ctx := &lasting{Context: context.Background(), done: make(chan struct{})}
	for range 3 {
		if _, err := pool.Map(ctx, p, upTo(5), double); err != nil {
			t.Fatal(err)
		}
		if err := pool.ForEach(ctx, p, upTo(5), func(context.Context, int) error { return nil }); err != nil {
			t.Fatal(err)
		}
		for _, err := range pool.MapSeq(ctx, p, slices.Values(upTo(5)), double) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := ctx.told.Load(); n != 0 || ctx.begun.Load() < 9 {
		t.Errorf("%d of %d are still to be told of the end of the context", n, ctx.begun.Load())
	}
}

// TestMapIsALoop compares Map and MapSeq with what a loop does.
func TestMapIsALoop(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p, err := pool.New(pool.Options{
			Workers:  rapid.IntRange(1, 4).Draw(rt, "workers"),
			Queue:    rapid.SampledFrom([]int{1, 3, 64}).Draw(rt, "queue"), // without one, a second Map may come before the worker is back
			WhenFull: rapid.SampledFrom([]pool.WhenFull{pool.Block, pool.Reject, pool.CallerRuns}).Draw(rt, "when full"),
			Fair:     rapid.Bool().Draw(rt, "fair"),
		})
		if err != nil {
			rt.Fatal(err)
		}
		items := rapid.SliceOfN(rapid.IntRange(0, 40), 0, 60).Draw(rt, "items")
		bad := errors.New("bad")
		fn := func(_ context.Context, v int) (int, error) {
			if v == 0 {
				return 0, bad
			}
			return v + 1, nil
		}
		var want []int
		var wantErr error
		for _, v := range items {
			r, err := fn(context.Background(), v)
			if err != nil {
				wantErr = err
				break
			}
			want = append(want, r)
		}
		got, err := pool.Map(context.Background(), p, items, fn)
		if err != wantErr || err == nil && !slices.Equal(got, want) {
			rt.Fatalf("Map: got %v, %v; want %v, %v", got, err, want, wantErr)
		}
		got, err = nil, nil
		for v, e := range pool.MapSeq(context.Background(), p, slices.Values(items), fn) {
			if err = e; e == nil {
				got = append(got, v)
			}
		}
		if err != wantErr || !slices.Equal(got, want[:min(len(got), len(want))]) || err == nil && len(got) != len(want) {
			rt.Fatalf("MapSeq: got %v, %v; want %v, %v", got, err, want, wantErr)
		}
		if err := p.Close(context.Background()); err != nil {
			rt.Fatal(err)
		}
	})
}
