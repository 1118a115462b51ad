package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/ratelimit"
)

func newWaiting(tb testing.TB, o ratelimit.Options, limits ...ratelimit.Limit) *ratelimit.Limiter {
	tb.Helper()
	o.Limits = limits
	l, err := ratelimit.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func TestWaitersAreServedInTheirOrderAndAtTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newWaiting(t, ratelimit.Options{}, ratelimit.PerSecond(10).WithBurst(1), ratelimit.PerHour(1000).Named("hour"))
		start := time.Now()
		var mu sync.Mutex
		var order []int
		var at []time.Duration
		for i := range 20 {
			go func() {
				if err := l.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order, at = append(order, i), append(at, time.Since(start))
			}()
			synctest.Wait()
		}
		if s := l.Stats(); s.Waiting != 19 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		for i := range order {
			if order[i] != i || at[i] != time.Duration(i)*100*time.Millisecond {
				t.Errorf("waiter %d came %d-th, after %v", order[i], i, at[i])
			}
		}
		if s := l.Stats(); len(order) != 20 || s.Allowed != 20 || s.Denied != 0 || s.Waiting != 0 {
			t.Errorf("%d were served, %+v", len(order), s)
		}
	})
}

// Whoever leaves the queue, and in whatever order, the rest are served as if they had never been there.
func TestWaitersWhoLeaveLoseNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		count := rapid.IntRange(1, 12).Draw(rt, "waiters")
		leaves := make([]time.Duration, count)
		sizes := make([]int64, count)
		for i := range count {
			sizes[i] = rapid.Int64Range(1, 3).Draw(rt, "n")
			if rapid.Bool().Draw(rt, "leaves") {
				leaves[i] = time.Duration(rapid.Int64Range(1, int64(4*time.Second)).Draw(rt, "after"))
			}
		}
		fault := ""
		synctest.Test(t, func(t *testing.T) {
			l := newWaiting(t, ratelimit.Options{}, ratelimit.PerSecond(2).WithBurst(3))
			start := time.Now()
			served := make([]time.Duration, count)
			var all sync.WaitGroup
			for i := range count {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if leaves[i] > 0 {
					time.AfterFunc(leaves[i], cancel)
				}
				all.Go(func() {
					served[i] = -1
					if err := l.WaitN(ctx, sizes[i]); err == nil {
						served[i] = time.Since(start)
					} else if !errors.Is(err, context.Canceled) || refusal.Refused(err) {
						t.Error(err)
					}
				})
				synctest.Wait()
			}
			all.Wait()
			// The model: each in its order, as soon as its tokens are there and the ones ahead are gone.
			const token = 500 * time.Millisecond
			var full, free time.Duration
			for i := range count {
				ready := max(full+time.Duration(sizes[i]-3)*token, free, 0)
				left := leaves[i] > 0 && leaves[i] < ready
				switch either := leaves[i] == ready && ready > 0; {
				case left && served[i] >= 0:
					fault = fmt.Sprintf("waiter %d left at %v and was served at %v", i, leaves[i], served[i])
				case !left && !either && served[i] != ready:
					fault = fmt.Sprintf("waiter %d of %v, leaving %v, was served at %v, want %v", i, sizes, leaves, served[i], ready)
				}
				if served[i] < 0 {
					free = max(free, leaves[i]) // until then it kept the others behind it
					continue
				}
				full, free = max(full, served[i])+time.Duration(sizes[i])*token, served[i]
			}
		})
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

func TestAWaitThatCannotEndBeforeTheDeadlineIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newWaiting(t, ratelimit.Options{Name: "test"}, ratelimit.Every(time.Second))
		l.Allow()
		start := time.Now()
		for _, d := range []time.Duration{time.Millisecond, time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			err := l.Wait(ctx)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ratelimit.ErrLimited) || !refusal.Refused(err) || time.Since(start) != 0 {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
			if after, ok := refusal.RetryAfter(err); !ok || after != time.Second {
				t.Errorf("RetryAfter is %v", after)
			}
		}
		go func() {
			if err := l.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond) // behind the other it takes 2 s
		defer cancel()
		if err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if s := l.Stats(); s.Denied != 3 || s.Waiting != 1 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)
	})
}

// Who leaves the queue without tokens is told when they will be there, beside those of all who wait: whoever it was behind,
// and whoever it will be behind when it comes back.
func TestARefusedWaiterIsToldATimeAtWhichItsTokensWillBeThere(t *testing.T) {
	for name, tt := range map[string]struct {
		maxWait     time.Duration
		charge      int64 // beyond what was expected when they joined
		first, last time.Duration
		left, back  time.Duration // when the one between them ends, and for when it is told to come back
	}{
		"MaxWait":                {4500 * time.Millisecond, 2, 3 * time.Second, 4 * time.Second, 3 * time.Second, 6 * time.Second},
		"deadline":               {0, 2, 3 * time.Second, 4 * time.Second, 3 * time.Second, 6 * time.Second},
		"deadline, in the queue": {0, 5, 6 * time.Second, 7 * time.Second, 4500 * time.Millisecond, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newWaiting(t, ratelimit.Options{MaxWait: tt.maxWait}, ratelimit.Every(time.Second).WithBurst(2))
				l.AllowN(2)
				start := time.Now()
				var all sync.WaitGroup
				served := func(n int64, at time.Duration) {
					all.Go(func() {
						if err := l.WaitN(t.Context(), n); err != nil || time.Since(start) != at {
							t.Errorf("after %v: %v, want %v", time.Since(start), err, at)
						}
					})
					synctest.Wait()
				}
				served(1, tt.first)
				all.Go(func() { // for 3 s, as it seems
					ctx := t.Context()
					if tt.maxWait == 0 {
						late, cancel := context.WithTimeout(ctx, 4500*time.Millisecond)
						defer cancel()
						ctx = late
					}
					err := l.WaitN(ctx, 2)
					after, _ := refusal.RetryAfter(err)
					if !errors.Is(err, ratelimit.ErrLimited) || errors.Is(err, context.DeadlineExceeded) != (tt.maxWait == 0) {
						t.Errorf("after %v: %v", time.Since(start), err)
					}
					if left := time.Since(start); left != tt.left || left+after != tt.back {
						t.Errorf("told at %v to come back at %v, want at %v at %v", left, left+after, tt.left, tt.back)
					}
					time.Sleep(after)
					if !l.AllowN(2) {
						t.Error("its tokens were not there")
					}
				})
				synctest.Wait()
				served(1, tt.last)
				time.Sleep(time.Second / 2)
				if err := l.Charge(tt.charge); err != nil {
					t.Error(err)
				}
				all.Wait()
			})
		})
	}
}

func TestAWaitEndsWhenOthersTakeWhatItWouldNeedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newWaiting(t, ratelimit.Options{}, ratelimit.Every(time.Second).WithBurst(2))
		l.AllowN(2)
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		start := time.Now()
		go func() {
			time.Sleep(500 * time.Millisecond)
			if err := l.Charge(2); err != nil {
				t.Error(err)
			}
		}()
		err := l.Wait(ctx) // at 1 s it shows that there is no token before 3 s
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ratelimit.ErrLimited) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestMaxWaitAndMaxWaitersBoundTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newWaiting(t, ratelimit.Options{MaxWait: 3 * time.Second, MaxWaiters: 2}, ratelimit.Every(time.Second).WithBurst(5))
		l.AllowN(5)
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if err := l.Do(t.Context(), nothing); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		err := l.Wait(t.Context())
		limited, ok := errors.AsType[*ratelimit.LimitedError](err)
		if !ok || errors.Is(err, context.DeadlineExceeded) || limited.RetryAfter() != 3*time.Second || time.Since(start) != 0 {
			t.Errorf("a third waiter: %v", err)
		}
		all.Wait()
		if got := time.Since(start); got != 2*time.Second {
			t.Errorf("two waited %v", got)
		}
		if err := l.WaitN(t.Context(), 3); err != nil { // 3 s, which is just MaxWait
			t.Error(err)
		}
		start = time.Now()
		if err := l.WaitN(t.Context(), 4); !errors.Is(err, ratelimit.ErrLimited) || time.Since(start) != 0 {
			t.Errorf("a wait of 4 s: %v", err)
		}
		if err := l.WaitN(t.Context(), 6); !errors.Is(err, ratelimit.ErrLimited) || time.Since(start) != 0 {
			t.Errorf("more than the burst: %v", err)
		}
		// The second of a queue gives up in time, too, when the first takes longer than it seemed.
		all.Go(func() { _ = l.WaitN(t.Context(), 1) })
		synctest.Wait()
		all.Go(func() {
			if err := l.WaitN(t.Context(), 2); !errors.Is(err, ratelimit.ErrLimited) || time.Since(start) != 3*time.Second {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
		})
		synctest.Wait()
		time.Sleep(time.Second - 1)
		if err := l.Charge(2); err != nil {
			t.Error(err)
		}
		all.Wait()
	})
}

func TestRefundsAndNewLimitsAreLearntOfByWhoWaits(t *testing.T) {
	for name, change := range map[string]func(l *ratelimit.Limiter) error{
		"Refund":    func(l *ratelimit.Limiter) error { return l.Refund(1) },
		"SetLimits": func(l *ratelimit.Limiter) error { return l.SetLimits([]ratelimit.Limit{ratelimit.Unlimited()}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newWaiting(t, ratelimit.Options{}, ratelimit.PerHour(1))
				l.Allow()
				start := time.Now()
				time.AfterFunc(time.Minute, func() {
					if err := change(l); err != nil {
						t.Error(err)
					}
				})
				if err := l.Wait(t.Context()); err != nil || time.Since(start) != time.Minute {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		l := newWaiting(t, ratelimit.Options{}, ratelimit.PerHour(1))
		l.Allow()
		time.AfterFunc(time.Second, func() {
			if err := l.SetLimits([]ratelimit.Limit{ratelimit.None()}); err != nil {
				t.Error(err)
			}
		})
		start := time.Now()
		if err := l.Wait(t.Context()); !errors.Is(err, ratelimit.ErrLimited) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestWaitNOfNothingAndOfLessThanNothing(t *testing.T) {
	l := newWaiting(t, ratelimit.Options{}, ratelimit.None())
	if err := l.WaitN(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if err := l.WaitN(t.Context(), -1); !errors.Is(err, ratelimit.ErrNegative) {
		t.Error(err)
	}
	if err := l.Wait(t.Context()); !errors.Is(err, ratelimit.ErrLimited) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Wait(ctx); !errors.Is(err, context.Canceled) || refusal.Refused(err) {
		t.Error(err)
	}
}

// Half of them leave early, and the other half are patient: these all get what they wait for.
func TestManyWhoWaitAndLeaveNeverGetMoreThanTheRateAndLoseNothing(t *testing.T) {
	const burst, rate, rounds = 10, 20_000, 15
	l := newWaiting(t, ratelimit.Options{MaxWaiters: 64}, ratelimit.PerSecond(rate).WithBurst(burst))
	var all sync.WaitGroup
	var served atomic.Int64
	start := time.Now()
	for g := range 32 {
		all.Go(func() {
			for range rounds {
				ctx, cancel := t.Context(), func() {}
				if g%2 == 1 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(1+g)*200*time.Microsecond)
				}
				switch err := l.Wait(ctx); {
				case err == nil:
					served.Add(1)
				case g%2 == 0 || !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("goroutine %d: %v", g, err)
				}
				cancel()
			}
		})
	}
	all.Wait()
	elapsed := time.Since(start)
	if most := burst + int64(elapsed)*rate/int64(time.Second); served.Load() > most {
		t.Errorf("%d were served in %v, at most %d may be", served.Load(), elapsed, most)
	}
	if s := l.Stats(); s.Waiting != 0 || s.Allowed != served.Load() {
		t.Errorf("%+v, %d served", s, served.Load())
	}
	if err := l.Wait(t.Context()); err != nil {
		t.Errorf("the queue is stuck: %v", err)
	}
}
