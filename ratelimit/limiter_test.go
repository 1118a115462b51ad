package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/ratelimit"
)

func TestABurstIsAllowedAtOnceAndThenTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1234567 * time.Nanosecond)
		l := newLimiter(t, ratelimit.PerSecond(100).WithBurst(20))
		time.Sleep(7654321 * time.Nanosecond)
		for i := range 20 {
			if !l.Allow() {
				t.Fatalf("take %d of the burst was denied", i+1)
			}
		}
		for range 50 {
			if l.Allow() {
				t.Fatal("more than the burst was allowed at one moment")
			}
			time.Sleep(10*time.Millisecond - 1)
			if l.Allow() {
				t.Fatal("a token came a nanosecond early")
			}
			time.Sleep(1)
			if !l.Allow() {
				t.Fatal("a token came late")
			}
		}
	})
}

func TestAnIdleBucketFillsUpToItsBurstAndNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, ratelimit.PerMinute(60).WithBurst(5))
		time.Sleep(24 * time.Hour)
		if l.AllowN(6) || !l.AllowN(5) || l.Allow() {
			t.Error("a bucket of 5 did not hold 5 after a day")
		}
	})
}

func TestTakeTellsHowTheBucketStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := ratelimit.Limit{Name: "default", Tokens: 10, Per: time.Second, Burst: 10}
		l := newLimiter(t, ratelimit.PerSecond(10))
		for _, step := range []struct {
			sleep time.Duration
			n     int64
			want  ratelimit.Result
		}{
			{0, 0, ratelimit.Result{Allowed: true, Remaining: 10}},
			{0, 7, ratelimit.Result{Allowed: true, Remaining: 3, ResetAfter: 700 * time.Millisecond}},
			{0, 0, ratelimit.Result{Allowed: true, Remaining: 3, ResetAfter: 700 * time.Millisecond}},
			{0, 5, ratelimit.Result{Remaining: 3, RetryAfter: 200 * time.Millisecond, ResetAfter: 700 * time.Millisecond}},
			{0, 11, ratelimit.Result{Never: true, Remaining: 3, ResetAfter: 700 * time.Millisecond}},
			{150 * time.Millisecond, 5, ratelimit.Result{Remaining: 4, RetryAfter: 50 * time.Millisecond, ResetAfter: 550 * time.Millisecond}},
			{50 * time.Millisecond, 5, ratelimit.Result{Allowed: true, ResetAfter: time.Second}},
			{2 * time.Second, 10, ratelimit.Result{Allowed: true, ResetAfter: time.Second}},
		} {
			time.Sleep(step.sleep)
			step.want.Limit = limit
			if got, err := l.Take(step.n); err != nil || got != step.want {
				t.Errorf("Take(%d) is\n%+v, %v, want\n%+v", step.n, got, err, step.want)
			}
		}
		if got, want := l.Stats(), (ratelimit.Stats{Allowed: 3, Denied: 3}); got != want {
			t.Errorf("%+v, want %+v: a peek is not counted", got, want)
		}
	})
}

func TestANegativeNumberIsRefusedAndZeroIsAllowed(t *testing.T) {
	l := newLimiter(t, ratelimit.PerHour(1))
	if _, err := l.Take(-1); !errors.Is(err, ratelimit.ErrNegative) {
		t.Errorf("Take(-1): %v", err)
	}
	if l.AllowN(-1) || l.AllowN(math.MinInt64) {
		t.Error("a negative number was allowed")
	}
	if !l.AllowN(0) || !l.Allow() || !l.AllowN(0) {
		t.Error("0 was denied, or took a token")
	}
}

func TestADenialTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, ratelimit.Every(time.Second))
		l.Allow()
		for range 1000 {
			time.Sleep(time.Millisecond / 2)
			if l.Allow() {
				t.Fatal("early")
			}
		}
		time.Sleep(time.Second / 2)
		if !l.Allow() {
			t.Error("who asks while denied waits longer")
		}
	})
}

func TestUnlimitedAllowsEverythingAndNoneNothing(t *testing.T) {
	all, none := newLimiter(t, ratelimit.Unlimited()), newLimiter(t, ratelimit.None())
	for _, n := range []int64{1, 1e9, math.MaxInt64} {
		r, err := all.Take(n)
		if err != nil || !r.Allowed || r.Remaining != math.MaxInt64 || r.ResetAfter != 0 {
			t.Errorf("Unlimited, Take(%d): %+v, %v", n, r, err)
		}
		r, err = none.Take(n)
		if err != nil || r.Allowed || !r.Never || r.Remaining != 0 || r.RetryAfter != 0 {
			t.Errorf("None, Take(%d): %+v, %v", n, r, err)
		}
		if !all.AllowN(n) || none.AllowN(n) {
			t.Errorf("AllowN(%d)", n)
		}
	}
	if r, err := none.Take(0); err != nil || !r.Allowed || r.Never || r.Remaining != 0 {
		t.Errorf("None, Take(0): %+v, %v", r, err)
	}
}

func TestDoRefusesAtOnceAndSaysWhenToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, ratelimit.PerSecond(2).WithBurst(1).Named("steady"))
		if err := l.Do(t.Context(), nothing); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err := l.Do(t.Context(), func(context.Context) error { t.Error("the call was made"); return nil })
		if time.Since(start) != 0 {
			t.Error("Do waited")
		}
		wrapped := fmt.Errorf("while asking: %w", err)
		limited, ok := errors.AsType[*ratelimit.LimitedError](wrapped)
		if !ok || !errors.Is(wrapped, ratelimit.ErrLimited) {
			t.Fatalf("the error is %v", err)
		}
		if limited.Name != "test" || limited.Result.Limit.Name != "steady" || limited.Result.Allowed {
			t.Errorf("%+v", limited)
		}
		if wait, ok := refusal.RetryAfter(wrapped); !refusal.Refused(wrapped) || !ok || wait != 500*time.Millisecond {
			t.Errorf("Refused %v, RetryAfter %v %v", refusal.Refused(wrapped), wait, ok)
		}
		if text := `joist/ratelimit: "test" is limited (steady: 2 per 1s, burst 1): retry after 500ms`; err.Error() != text {
			t.Errorf("the text is %q", err)
		}
	})
}

func TestARefusalThatNeverEndsHasNoHint(t *testing.T) {
	err := newLimiter(t, ratelimit.None()).Do(t.Context(), nothing)
	if _, ok := refusal.RetryAfter(err); ok || !refusal.Refused(err) || !strings.Contains(err.Error(), "never") {
		t.Errorf("%v", err)
	}
}

func TestDoReturnsWhatTheCallReturnsAndKeepsTheToken(t *testing.T) {
	failed := errors.New("failed")
	l := newLimiter(t, ratelimit.PerHour(3))
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "mine")
	if err := l.Do(ctx, func(got context.Context) error {
		if got.Value(key{}) != "mine" {
			t.Error("the call got another context")
		}
		return failed
	}); !errors.Is(err, failed) {
		t.Errorf("Do returned %v", err)
	}
	if v, err := ratelimit.DoValue(ctx, l, func(context.Context) (int, error) { return 7, failed }); v != 7 || !errors.Is(err, failed) {
		t.Errorf("DoValue returned %v, %v", v, err)
	}
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not come through")
			}
		}()
		_ = l.Do(ctx, func(context.Context) error { panic("boom") })
	}()
	v, err := ratelimit.DoValue(ctx, l, func(context.Context) (int, error) { return 7, nil })
	if v != 0 || !errors.Is(err, ratelimit.ErrLimited) {
		t.Errorf("the fourth call of three: %v, %v", v, err)
	}
}

func TestAnEndedContextTakesNothingAndCallsNothing(t *testing.T) {
	l, k := newLimiter(t, ratelimit.PerHour(1)), newKeyed(t, ratelimit.PerHour(1), 0)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	never := func(context.Context) (int, error) { t.Error("the call was made"); return 1, nil }
	for _, ctx := range []context.Context{cancelled, late} {
		_, value := ratelimit.DoValue(ctx, l, never)
		_, valueFor := ratelimit.DoValueFor(ctx, k, "a", never)
		_, take := ratelimit.TakerOf(k).Take(ctx, "a", 1)
		for name, err := range map[string]error{
			"Do":         l.Do(ctx, func(context.Context) error { _, err := never(ctx); return err }),
			"Subject.Do": k.For("a").Do(ctx, func(context.Context) error { _, err := never(ctx); return err }),
			"DoValue":    value,
			"DoValueFor": valueFor,
			"Take":       take,
		} {
			if !errors.Is(err, ctx.Err()) || refusal.Refused(err) {
				t.Errorf("%s returned %v, want %v", name, err, ctx.Err())
			}
		}
	}
	if l.Stats() != (ratelimit.Stats{}) || k.Stats() != (ratelimit.KeyedStats{}) {
		t.Errorf("counted %+v, %+v", l.Stats(), k.Stats())
	}
	if !l.Allow() || !k.Allow("a") {
		t.Error("a token was taken")
	}
}
