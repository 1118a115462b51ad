package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/pool/bulkhead"
)

func TestACallPastTheLimitIsRefusedAtOnceAndNotMade(t *testing.T) {
	b := fixed(t, 2)
	first, second := hold(b), hold(b)
	called := false
	err := b.Do(t.Context(), func(context.Context) error { called = true; return nil })
	if called {
		t.Error("the refused call was made")
	}
	var full *bulkhead.FullError
	if !errors.Is(err, bulkhead.ErrFull) || !errors.As(err, &full) {
		t.Fatalf("got %v, want a *FullError", err)
	}
	if full.Name != "users" || full.Limit != 2 || full.InFlight != 2 {
		t.Errorf("got %+v", full)
	}
	if err := errors.Join(first.end(), second.end()); err != nil {
		t.Error(err)
	}
	if err := b.Do(t.Context(), nothing); err != nil {
		t.Errorf("after the calls have ended: %v", err)
	}
}

func TestARefusalIsRecognizedThroughWrapping(t *testing.T) {
	b := fixed(t, 1)
	h := hold(b)
	err := fmt.Errorf("loading: %w", b.Do(t.Context(), nothing))
	if !refusal.Refused(err) {
		t.Errorf("%v does not say that it is a refusal", err)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Errorf("%v passes for an ended context", err)
	}
	h.end()
}

func TestTheHintIsTheTypicalTimeOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fixed(t, 1)
		h := hold(b)
		if wait, ok := refusal.RetryAfter(b.Do(t.Context(), nothing)); ok {
			t.Errorf("a hint of %v before any call has ended", wait)
		}
		time.Sleep(200 * time.Millisecond)
		h.end()
		h = hold(b)
		if wait, _ := refusal.RetryAfter(b.Do(t.Context(), nothing)); wait != 200*time.Millisecond {
			t.Errorf("hint %v, want 200ms", wait)
		}
		h.end()
	})
}

func TestTheHintFollowsTheCallsAsTheyBecomeFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fixed(t, 1)
		for i := range 60 {
			_ = b.Do(t.Context(), func(context.Context) error {
				if i == 0 {
					time.Sleep(time.Second)
				} else {
					time.Sleep(10 * time.Millisecond)
				}
				return nil
			})
		}
		if got := b.Stats().Typical; got < 10*time.Millisecond || got > 12*time.Millisecond {
			t.Errorf("typical time %v, want about 10ms", got)
		}
	})
}

func TestTheHintDoesNotStayAtTheTimeOfASlowFirstCall(t *testing.T) {
	b := fixed(t, 1)
	_ = b.Do(t.Context(), func(context.Context) error {
		for began := time.Now(); time.Since(began) < time.Millisecond; {
			runtime.Gosched()
		}
		return nil
	})
	if got := b.Stats().Typical; got < time.Millisecond {
		t.Errorf("typical time %v after a call of 1ms", got)
	}
	for range 64 * 64 {
		_ = b.Do(t.Context(), nothing)
	}
	if got := b.Stats().Typical; got >= time.Millisecond {
		t.Errorf("typical time %v after thousands of quick calls", got)
	}
}

func TestABulkheadThatWasMadeOutsideABubbleGivesNoAbsurdHintInside(t *testing.T) {
	b := fixed(t, 1)
	synctest.Test(t, func(t *testing.T) {
		_ = b.Do(t.Context(), func(context.Context) error { time.Sleep(time.Second); return nil })
		if got := b.Stats().Typical; got <= 0 || got > time.Minute {
			t.Errorf("typical time %v", got)
		}
	})
}

func TestAnEndedContextIsReportedAsItIsAndTheCallIsNotMade(t *testing.T) {
	b := fixed(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Do(ctx, func(context.Context) error { t.Error("called"); return nil }); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	h := hold(b)
	if err := b.Do(ctx, nothing); err != context.Canceled {
		t.Errorf("when full: got %v", err)
	}
	h.end()
	if got := b.Stats(); got.Cancelled != 2 || got.Accepted != 1 || got.Rejected != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestTheErrorAndTheValueOfTheCallComeBackUnchanged(t *testing.T) {
	b := fixed(t, 1)
	boom := errors.New("boom")
	if err := b.Do(t.Context(), func(context.Context) error { return boom }); err != boom {
		t.Errorf("Do: got %v", err)
	}
	v, err := bulkhead.DoValue(t.Context(), b, func(context.Context) (int, error) { return 7, boom })
	if v != 7 || err != boom {
		t.Errorf("DoValue: got %v, %v", v, err)
	}
	h := hold(b)
	v, err = bulkhead.DoValue(t.Context(), b, func(context.Context) (int, error) { return 7, nil })
	if v != 0 || !errors.Is(err, bulkhead.ErrFull) {
		t.Errorf("DoValue when full: got %v, %v", v, err)
	}
	h.end()
}

func TestTheCallGetsTheContextOfItsCaller(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "v")
	err := fixed(t, 1).Do(ctx, func(inner context.Context) error {
		if inner != ctx {
			t.Error("another context")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPanicReachesTheCallerAndGivesTheSlotBack(t *testing.T) {
	b := fixed(t, 1)
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v", got)
			}
		}()
		_ = b.Do(t.Context(), func(context.Context) error { panic("boom") })
	}()
	if got := b.Stats().InFlight; got != 0 {
		t.Errorf("%d in flight", got)
	}
	if err := b.Do(t.Context(), nothing); err != nil {
		t.Error(err)
	}
}

func TestAGoexitGivesTheSlotBack(t *testing.T) {
	for name, b := range map[string]*bulkhead.Bulkhead{"fixed": fixed(t, 1), "adaptive": limited(t, bulkhead.AIMD{Initial: 1, Max: 1})} {
		for verb, call := range map[string]func(){
			"Do": func() { _ = b.Do(context.Background(), func(context.Context) error { runtime.Goexit(); return nil }) },
			"DoValue": func() {
				_, _ = bulkhead.DoValue(context.Background(), b, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
			},
		} {
			var done sync.WaitGroup
			done.Go(call)
			done.Wait()
			if err := b.Do(t.Context(), nothing); err != nil {
				t.Errorf("%s, %s: %v", name, verb, err)
			}
		}
	}
}

func TestANestedCallTakesASecondSlotAndIsRefusedRatherThanHung(t *testing.T) {
	b := fixed(t, 1)
	err := b.Do(t.Context(), func(ctx context.Context) error { return b.Do(ctx, nothing) })
	if !errors.Is(err, bulkhead.ErrFull) {
		t.Errorf("got %v", err)
	}
}

func TestTheLimitHoldsUnderLoadAndEveryCallIsCountedOnce(t *testing.T) {
	const limit, callers, calls = 3, 8, 2000
	b := fixed(t, limit)
	var inside, made, refused atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				err := b.Do(t.Context(), func(context.Context) error {
					if n := inside.Add(1); n > limit {
						t.Errorf("%d calls in flight", n)
					}
					runtime.Gosched()
					made.Add(1)
					inside.Add(-1)
					return nil
				})
				if errors.Is(err, bulkhead.ErrFull) {
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	got := b.Stats()
	if got.Accepted != made.Load() || got.Rejected != refused.Load() || got.Accepted+got.Rejected != callers*calls {
		t.Errorf("got %+v, made %d, refused %d", got, made.Load(), refused.Load())
	}
	if got.InFlight != 0 {
		t.Errorf("%d in flight at the end", got.InFlight)
	}
}

func TestNoCallIsRefusedWhileASlotIsFree(t *testing.T) {
	const callers = 4
	b := fixed(t, callers) // a slot for each, so that a refusal is a wrong one
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range 5000 {
				if err := b.Do(t.Context(), nothing); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestABulkheadIsACounterWithALimitWhateverTheOrderOfCalls(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 4).Draw(rt, "limit")
		b := fixed(t, limit)
		var open []held
		want := bulkhead.Stats{Limit: limit}
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			switch {
			case len(open) > 0 && rapid.Bool().Draw(rt, "leave"):
				i := rapid.IntRange(0, len(open)-1).Draw(rt, "which")
				_ = open[i].end()
				open = append(open[:i], open[i+1:]...)
			case len(open) < limit:
				open = append(open, hold(b))
				want.Accepted++
			default:
				if err := b.Do(t.Context(), nothing); !errors.Is(err, bulkhead.ErrFull) {
					rt.Fatalf("entered a full bulkhead: %v", err)
				}
				want.Rejected++
			}
			want.InFlight = len(open)
			got := b.Stats()
			got.Typical = 0
			if got != want {
				rt.Fatalf("got %+v, want %+v", got, want)
			}
		}
		for _, h := range open {
			_ = h.end()
		}
	})
}
