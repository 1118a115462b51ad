package flight

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// This one fails when a load can be joined between the return of its function and the removal of its key: the lock of
// the shard is taken meanwhile, which under load may take long.
func TestALoadWhoseFunctionHasReturnedIsNotJoinedWhileItWaitsForTheLock(t *testing.T) {
	g, err := New[string, int](Options{})
	if err != nil {
		t.Fatal(err)
	}
	began, gate := make(chan struct{}), make(chan struct{})
	g.Go(t.Context(), "k", func(context.Context) (int, error) { close(began); <-gate; return 1, nil })
	<-began
	hash := g.table.hash("k")
	s := g.table.at(hash)
	s.mu.Lock()
	c := s.find(hash, "k")
	if !c.joinable() {
		t.Error("a load that runs cannot be joined")
	}
	close(gate)
	for !c.ctx.ended.Load() { // set before the lock is asked for: this ends though we hold it
		runtime.Gosched()
	}
	if s.find(hash, "k") != c || c.joinable() {
		t.Error("a load whose function has returned can be joined")
	}
	s.mu.Unlock()
	if v, err := g.Do(context.Background(), "k", func(context.Context) (int, error) { return 2, nil }); v != 2 || err != nil {
		t.Errorf("the next call: %d, %v", v, err)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A waiter whose context ends at the moment its answer comes takes the answer: it is there, and its load counts on it.
func TestAWaiterDoesNotLeaveAnAnswerThatIsThere(t *testing.T) {
	g, err := New[string, int](Options{})
	if err != nil {
		t.Fatal(err)
	}
	began, gate := make(chan struct{}), make(chan struct{})
	g.Go(t.Context(), "k", func(context.Context) (int, error) { close(began); <-gate; return 1, nil })
	<-began
	hash := g.table.hash("k")
	s := g.table.at(hash)
	s.mu.Lock()
	c := s.find(hash, "k")
	c.join()
	s.mu.Unlock()
	close(gate)
	if err := g.Close(t.Context()); err != nil { // the answer is there
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	// Without done, only the end of its context can wake the waiter.
	if v, err := g.wait(ended, ended.Done(), c, nil, false); v != 1 || err != nil {
		t.Errorf("the waiter got %d, %v, want the answer", v, err)
	}
}

// The deadline ends the load's context and answers its waiters at the same moment. A load that obeys must not decide by
// how quickly it does which error they get: here it is always quicker, as the timer that answers is stopped.
func TestALoadThatFailsAtItsDeadlineHasTimedOutThoughItIsQuicker(t *testing.T) {
	own := errors.New("own")
	for _, tt := range []struct {
		name     string
		load     func(ctx context.Context) error
		is       []error
		timedOut bool
	}{
		{"with the error of its context", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, nil, true},
		{"with the cause", func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }, nil, true},
		{"with both wrapped in its own", func(ctx context.Context) error { <-ctx.Done(); return errors.Join(own, context.Cause(ctx)) }, []error{own}, true},
		{"with the error wrapped in its own", func(ctx context.Context) error { <-ctx.Done(); return errors.Join(own, ctx.Err()) }, []error{own}, true},
		{"for another reason", func(ctx context.Context) error { <-ctx.Done(); return own }, []error{own}, false},
		{"before it", func(context.Context) error { return context.DeadlineExceeded }, []error{context.DeadlineExceeded}, false},
		{"with an answer", func(ctx context.Context) error { <-ctx.Done(); return nil }, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, err := New[string, int](Options{Timeout: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				_, err = g.Do(t.Context(), "k", func(ctx context.Context) (int, error) {
					ctx.(*loadContext).limit.timer.Stop()
					return 0, tt.load(ctx)
				})
				timeout, timedOut := errors.AsType[*TimeoutError](err)
				if timedOut != tt.timedOut || timedOut && (timeout != g.expired || !errors.Is(err, context.DeadlineExceeded)) {
					t.Errorf("err = %v", err)
				}
				for _, is := range tt.is {
					if !errors.Is(err, is) {
						t.Errorf("%v is not %v", err, is)
					}
				}
				if want := (Stats{Leaders: 1, Timeouts: map[bool]int64{true: 1}[tt.timedOut]}); g.Stats() != want {
					t.Errorf("%+v, want %+v", g.Stats(), want)
				}
			})
		})
	}
}

// Whoever looks at a call that is used again sees another load's answer: its followers, a timer that is on its way, its
// goroutine while it is out of the table.
func TestACallIsUsedAgainOnlyWhenNobodyElseKnowsIt(t *testing.T) {
	sleeps := func(d time.Duration) func(context.Context) (int, error) {
		return func(context.Context) (int, error) { time.Sleep(d); return 1, nil }
	}
	for _, tt := range []struct {
		name    string
		options Options
		takes   time.Duration
		joined  bool
		leaves  time.Duration
		again   bool
	}{
		{name: "alone", takes: time.Second, again: true},
		{name: "alone, with a Timeout", options: Options{Timeout: time.Minute}, takes: time.Second, again: true},
		{name: "joined", takes: time.Second, joined: true},
		{name: "joined, with a Timeout", options: Options{Timeout: time.Minute}, takes: time.Second, joined: true},
		{name: "timed out", options: Options{Timeout: time.Second}, takes: time.Minute},
		{name: "left", takes: time.Minute, leaves: time.Second},
		{name: "left and detached", options: Options{Detached: true}, takes: time.Second, leaves: time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, err := New[string, int](tt.options)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.leaves > 0 {
					time.AfterFunc(tt.leaves, cancel)
				}
				leader := make(chan struct{})
				go func() {
					defer close(leader)
					_, _ = g.Do(ctx, "k", sleeps(tt.takes))
				}()
				synctest.Wait()
				if tt.joined {
					_, _ = g.Do(t.Context(), "k", nil)
				}
				<-leader
				synctest.Wait()
				s := g.table.at(g.table.hash("k"))
				s.mu.Lock()
				if again := s.spare != nil; again != tt.again {
					t.Errorf("the call is used again: %v, want %v", again, tt.again)
				}
				s.mu.Unlock()
				if err := g.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A timer that could not be stopped looks at its call later, though the load has ended in time.
func TestACallIsNotUsedAgainWhileItsTimerIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := New[string, int](Options{Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		_, err = g.Do(t.Context(), "k", func(ctx context.Context) (int, error) {
			ctx.(*loadContext).limit.timer.Stop() // end finds it stopped, as one whose function has begun
			return 1, nil
		})
		if s := g.table.at(g.table.hash("k")); err != nil || s.spare != nil {
			t.Errorf("err = %v, the call is used again: %v", err, s.spare != nil)
		}
	})
}

// What the table does not list any more, it does not hold: the calls of an idle group are collected.
func TestTheTableForgetsLoadsThatHaveEndedThoughItHasGrown(t *testing.T) {
	g, err := New[int, int](Options{})
	if err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	const loads = 4000
	for i := range loads {
		g.Go(t.Context(), i, func(context.Context) (int, error) { <-gate; return i, nil })
	}
	grown := 0
	for i := range g.table.shards {
		s := &g.table.shards[i]
		s.mu.Lock()
		if len(s.buckets) > firstBuckets {
			grown++
		}
		if s.listed > 2*maxChain*len(s.buckets) {
			t.Errorf("%d loads in %d buckets", s.listed, len(s.buckets))
		}
		s.mu.Unlock()
	}
	if grown == 0 {
		t.Error("no shard has grown")
	}
	close(gate)
	if err := g.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range g.table.shards {
		s := &g.table.shards[i]
		for _, c := range append(s.buckets, s.first[0], s.first[1], s.strays) {
			if c != nil {
				t.Fatalf("shard %d holds the load of %d", i, c.key)
			}
		}
	}
}

// Two cores that work on neighbouring shards must not fight over a cache line.
func TestShardsDoNotShareCacheLines(t *testing.T) {
	const lines = 128 // two of them: the hardware fetches lines in pairs
	if size := unsafe.Sizeof(shard[string, int]{}); strconv.IntSize == 64 && size%lines != 0 {
		t.Errorf("a shard takes %d bytes", size)
	}
}
