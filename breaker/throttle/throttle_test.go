package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/breaker/throttle"
)

func TestTheProbabilityIsTheFormulas(t *testing.T) {
	for _, tt := range []struct {
		options            throttle.Options
		accepted, rejected int
		want               float64
	}{
		{throttle.Options{}, 0, 0, 0},
		{throttle.Options{}, 1, 0, 0},
		{throttle.Options{}, 0, 1, 1. / 2},
		{throttle.Options{}, 0, 5, 5. / 6},
		{throttle.Options{}, 1, 1, 0},
		{throttle.Options{}, 50, 50, 0},
		{throttle.Options{}, 50, 51, 1. / 102},
		{throttle.Options{}, 10, 90, 80. / 101},
		{throttle.Options{K: 1}, 50, 50, 50. / 101},
		{throttle.Options{K: 1.1}, 100, 10, 0},
		{throttle.Options{K: 10}, 10, 89, 0},
		{throttle.Options{}, 0, 1000, 0.9},
		{throttle.Options{MaxReject: 0.999}, 0, 1000, 0.999},
		{throttle.Options{MaxReject: 0.9999}, 0, 1000, 1000. / 1001},
		{throttle.Options{MinCalls: 8}, 0, 7, 0},
		{throttle.Options{MinCalls: 8}, 0, 8, 8. / 9},
	} {
		th := after(tt.options, tt.accepted, tt.rejected)
		if got := th.Stats().Probability; got-tt.want > 1e-12 || tt.want-got > 1e-12 {
			t.Errorf("%+v, %d accepted, %d rejected: %v, want %v", tt.options, tt.accepted, tt.rejected, got, tt.want)
		}
	}
}

func TestARefusedCallIsNotMadeAndCountsAsARequest(t *testing.T) {
	th := after(throttle.Options{Name: "users"}, 0, 1)
	throttle.Draw(th, refuseAll)
	called := false
	err := th.Do(t.Context(), func(context.Context) error { called = true; return nil })
	refused, ok := errors.AsType[*throttle.ThrottledError](err)
	if !ok || called || !errors.Is(err, throttle.ErrThrottled) {
		t.Fatalf("%v, called: %v", err, called)
	}
	if refused.Name != "users" || refused.Probability != 0.5 || !refused.Refused() {
		t.Errorf("%+v", refused)
	}
	if want := `joist/throttle: "users" throttles 50 % of the calls: too few were accepted`; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	wantProbability(t, th, 2./3)
	v, err := throttle.DoValue(t.Context(), th, func(context.Context) (int, error) { return 7, nil })
	if v != 0 || !errors.Is(err, throttle.ErrThrottled) {
		t.Errorf("%d, %v", v, err)
	}
	p, err := th.Allow(t.Context())
	if !errors.Is(err, throttle.ErrThrottled) {
		t.Errorf("Allow: %v", err)
	}
	p.Done(nil)
	if s := th.Stats(); s.Requests != 4 || s.Throttled != 3 || s.Rejected != 1 || s.Accepted != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTheHintIsWhenTheWindowSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := after(throttle.Options{Window: time.Minute}, 0, 1)
		throttle.Draw(th, refuseAll)
		time.Sleep(2 * time.Second)
		refused, _ := errors.AsType[*throttle.ThrottledError](th.Do(t.Context(), accept))
		if got := refused.RetryAfter(); got != 4*time.Second {
			t.Errorf("%v, want 4s", got)
		}
		time.Sleep(5 * time.Second)
		if got := refused.RetryAfter(); got != 0 {
			t.Errorf("%v when that has come, want no hint", got)
		}
	})
	if (&throttle.ThrottledError{}).RetryAfter() != 0 {
		t.Error("an error without a throttle has a hint")
	}
}

func TestRefusalsOfOneStepAndProbabilityShareTheirError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := after(throttle.Options{}, 0, 1000)
		throttle.Draw(th, refuseAll)
		first, second := th.Do(t.Context(), accept), th.Do(t.Context(), accept)
		if first != second {
			t.Error("two errors for one probability")
		}
		time.Sleep(time.Minute)
		if third := th.Do(t.Context(), accept); third == first {
			t.Error("an error of an earlier step")
		}
	})
}

func TestACallThatIsOutCountsOnlyWhenItHasEnded(t *testing.T) {
	th := must(throttle.New(throttle.Options{}))
	throttle.Draw(th, refuseAll)
	permits := make([]throttle.Permit, 100)
	for i := range permits {
		p, err := th.Allow(t.Context())
		if err != nil {
			t.Fatalf("call %d of a first burst: %v", i, err)
		}
		defer p.Done(nil)
	}
	if s := th.Stats(); s.Requests != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAPermitCountsOnce(t *testing.T) {
	th := must(throttle.New(throttle.Options{}))
	p, err := th.Allow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.Done(nil)
	p.Done(errBusy)
	var zero throttle.Permit
	zero.Done(errBusy)
	if s := th.Stats(); s.Requests != 1 || s.Accepts != 1 || s.Accepted != 1 || s.Rejected != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOutcomesAreJudgedAsDocumented(t *testing.T) {
	notFound := errors.New("not found")
	inner := must(breaker.New(breaker.Options{MinCalls: 1}))
	_ = inner.Do(t.Context(), reject)
	for _, tt := range []struct {
		name string
		call func(ctx context.Context, cancel func()) error
		want string
	}{
		{"nil", func(context.Context, func()) error { return nil }, "accepted"},
		{"an overload", func(context.Context, func()) error { return errBusy }, "rejected"},
		{"an answer", func(context.Context, func()) error { return fmt.Errorf("user 7: %w", notFound) }, "accepted"},
		{"a deadline", func(context.Context, func()) error { return context.DeadlineExceeded }, "rejected"},
		{"a caller that leaves", func(ctx context.Context, cancel func()) error { cancel(); return ctx.Err() }, "ignored"},
		{"somebody else's cancellation", func(context.Context, func()) error { return context.Canceled }, "rejected"},
		{"a refusal inside", func(ctx context.Context, _ func()) error { return inner.Do(ctx, accept) }, "ignored"},
		{"Ignore", func(context.Context, func()) error { return throttle.Ignore(errBusy) }, "ignored"},
		{"breaker.Ignore", func(context.Context, func()) error { return breaker.Ignore(errBusy) }, "ignored"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			th := must(throttle.New(throttle.Options{IsRejection: func(err error) bool { return !errors.Is(err, notFound) }}))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var want error
			if got := th.Do(ctx, func(ctx context.Context) error { want = tt.call(ctx, cancel); return want }); got != want {
				t.Errorf("Do returned %v, want %v as it is", got, want)
			}
			s := th.Stats()
			got := map[string]int64{"accepted": s.Accepted, "rejected": s.Rejected, "ignored": s.Ignored}
			for what, n := range got {
				if (n == 1) != (what == tt.want) || n > 1 {
					t.Errorf("want one %s: %v", tt.want, got)
				}
			}
			if (s.Requests == 0) != (tt.want == "ignored") {
				t.Errorf("%s: %d requests in the window", tt.want, s.Requests)
			}
		})
	}
}

func TestAnEndedContextIsReportedAndCountsAsNothing(t *testing.T) {
	th := after(throttle.Options{}, 0, 10)
	throttle.Draw(th, refuseAll)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := th.Do(ctx, func(context.Context) error { t.Error("called"); return nil }); err != context.Canceled {
		t.Errorf("%v", err)
	}
	if s := th.Stats(); s.Requests != 10 || s.Throttled != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAPanicAndAGoexitAreRejectedAndGoOnTheirWay(t *testing.T) {
	th := must(throttle.New(throttle.Options{}))
	throttle.Draw(th, refuseNone)
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v", got)
			}
		}()
		_ = th.Do(t.Context(), func(context.Context) error { panic("boom") })
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = throttle.DoValue(context.Background(), th, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
		t.Error("a Goexit came back")
	}()
	<-done
	if s := th.Stats(); s.Rejected != 2 || s.Requests != 2 {
		t.Errorf("%+v", s)
	}
}

func TestAPanicInIsRejectionCountsOnce(t *testing.T) {
	th := must(throttle.New(throttle.Options{IsRejection: func(error) bool { panic("boom") }}))
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not reach the caller")
			}
		}()
		_ = th.Do(t.Context(), reject)
	}()
	if s := th.Stats(); s.Rejected != 1 || s.Requests != 1 {
		t.Errorf("%+v", s)
	}
}

func TestNewReportsAllFaultsAtOnce(t *testing.T) {
	_, err := throttle.New(throttle.Options{Name: "a\nb", K: 0.5, Window: -1, MinCalls: -1, MaxReject: 1})
	for _, field := range []string{"Name", "K", "Window", "MinCalls", "MaxReject"} {
		if err == nil || !strings.Contains(err.Error(), "joist/throttle: Options."+field+" is ") {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
}

func TestStatsForgetWhatHasLeftTheWindowThoughNobodyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := after(throttle.Options{Window: 10 * time.Second}, 1, 9)
		wantProbability(t, th, 8.0/11)
		time.Sleep(10 * time.Second)
		if s := th.Stats(); s.Requests != 0 || s.Accepts != 0 || s.Probability != 0 || s.Rejected != 9 {
			t.Errorf("a window later: %+v", s)
		}
	})
}
