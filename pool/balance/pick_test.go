package balance_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/balance"
)

func TestACallGoesToAnEndpointAndItsErrorPasses(t *testing.T) {
	b := newBalancer(t, balance.Options[string]{Endpoints: names(1)})
	err := b.Do(t.Context(), func(_ context.Context, e string) error { return fmt.Errorf("%s: %w", e, errDown) })
	if err == nil || err.Error() != "a: down" || !errors.Is(err, errDown) {
		t.Errorf("%v", err)
	}
	v, err := balance.DoValue(t.Context(), b, func(_ context.Context, e string) (string, error) { return e + "!", nil })
	if v != "a!" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if s := b.Stats(); s.Successes != 1 || s.Failures != 1 || s.InFlight != 0 || s.Ready != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWithoutEndpointsEveryCallIsRefused(t *testing.T) {
	b := newBalancer(t, balance.Options[string]{Name: "users"})
	never := func(context.Context, string) (int, error) { t.Error("called"); return 1, nil }
	v, err := balance.DoValue(t.Context(), b, never)
	none, ok := errors.AsType[*balance.NoneError](err)
	if !ok || v != 0 || !errors.Is(err, balance.ErrNone) || !none.Refused() || none.RetryAfter() != 0 {
		t.Fatalf("%d, %v", v, err)
	}
	if want := `joist/balance: "users" has no endpoints`; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	p, err := b.Pick(t.Context())
	if !errors.Is(err, balance.ErrNone) {
		t.Errorf("%v", err)
	}
	p.Done(nil) // does nothing
	if s := b.Stats(); s.Refused != 2 || s.Successes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAnEndedContextIsReportedAndCountsAsNothing(t *testing.T) {
	b := newBalancer(t, balance.Options[string]{Endpoints: names(2)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Do(ctx, func(context.Context, string) error { t.Error("called"); return nil }); err != context.Canceled {
		t.Errorf("%v", err)
	}
	if s := b.Stats(); s != (balance.Stats{Ready: 2}) {
		t.Errorf("%+v", s)
	}
}

func TestOfTwoThatAreAlikeTheOneWithFewerCallsInFlightIsPicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which all calls take no time
		b := newBalancer(t, balance.Options[string]{Endpoints: names(2)})
		for range 50 {
			first, _ := b.Pick(t.Context())
			second, _ := b.Pick(t.Context())
			if first.Endpoint == second.Endpoint {
				t.Fatal("both calls went to one")
			}
			first.Done(nil)
			second.Done(nil)
		}
	})
}

func TestAnExcludedEndpointIsPickedOnlyIfThereIsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalancer(t, balance.Options[string]{Endpoints: names(5)})
		seen := map[string]int{}
		for range 600 {
			p, err := b.Pick(t.Context(), "a", "c", "unknown")
			if err != nil {
				t.Fatal(err)
			}
			seen[p.Endpoint]++
			p.Done(nil)
		}
		if len(seen) != 3 || seen["b"] < 120 || seen["d"] < 120 || seen["e"] < 120 {
			t.Errorf("picked %v, want b, d and e about as often", seen)
		}
		if p, err := b.Pick(t.Context(), names(5)...); err != nil || p.Endpoint == "" {
			t.Errorf("%q, %v", p.Endpoint, err)
		}
	})
}

func TestTheAttemptsOfACallGoToDifferentEndpointsWhileThereAreSome(t *testing.T) {
	b := newBalancer(t, balance.Options[string]{Endpoints: names(5)})
	for range 50 {
		call := b.Call()
		var tried []string
		for range 5 {
			err := call.Do(t.Context(), func(_ context.Context, e string) error { tried = append(tried, e); return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(tried)
		if !slices.Equal(tried, names(5)) {
			t.Fatalf("tried %v", tried)
		}
		p, err := call.Pick(t.Context())
		if err != nil || call.Tried() != 6 {
			t.Fatalf("%v after %d", err, call.Tried())
		}
		p.Done(nil)
	}
}

func TestACallRemembersItsLatestEndpoints(t *testing.T) {
	all := names(balance.MaxTried + 1)
	b := newBalancer(t, balance.Options[string]{Endpoints: all})
	call := b.Call()
	var order []string
	for range 3 * len(all) {
		p, err := call.Pick(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(order[max(0, len(order)-balance.MaxTried):], p.Endpoint) {
			t.Fatalf("%q again after %v", p.Endpoint, order)
		}
		order = append(order, p.Endpoint)
		p.Done(nil)
	}
}

func TestAPickCountsOnce(t *testing.T) {
	b := newBalancer(t, balance.Options[string]{Endpoints: names(1)})
	p, err := b.Pick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := b.Stats(); s.InFlight != 1 {
		t.Errorf("%+v", s)
	}
	p.Done(nil)
	p.Done(errDown)
	if s := b.Stats(); s.InFlight != 0 || s.Successes != 1 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAPanicAndAGoexitEndThePickAndAreFailures(t *testing.T) {
	b := newBalancer(t, balance.Options[string]{Endpoints: names(2)})
	r := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: names(2)})
	call := b.Call()
	boom := func(context.Context, string) error { panic("boom") }
	exit := func(context.Context, string) error { runtime.Goexit(); return nil }
	ways := map[string]func(context.Context, func(context.Context, string) error) error{
		"Do":   b.Do,
		"Call": call.Do,
		"DoValue": func(ctx context.Context, fn func(context.Context, string) error) error {
			_, err := balance.DoValue(ctx, b, func(ctx context.Context, e string) (int, error) { return 0, fn(ctx, e) })
			return err
		},
		"Rendezvous": func(ctx context.Context, fn func(context.Context, string) error) error { return r.Do(ctx, "k", fn) },
	}
	for name, do := range ways {
		for _, fn := range []func(context.Context, string) error{boom, exit} {
			before := b.Stats().Failures + r.Stats().Failures
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() {
					if value := recover(); value != nil && value != "boom" {
						t.Errorf("%s: recovered %v", name, value)
					}
				}()
				_ = do(context.Background(), fn)
				t.Errorf("%s came back", name)
			}()
			<-done
			if got := b.Stats().Failures + r.Stats().Failures; got != before+1 {
				t.Errorf("%s: %d failures, want one more than %d", name, got, before)
			}
		}
	}
	if b, r := b.Stats(), r.Stats(); b.InFlight != 0 || r.InFlight != 0 {
		t.Errorf("calls are left in flight: %d and %d", b.InFlight, r.InFlight)
	}
}

func TestAPanicInIsFailureCountsOnce(t *testing.T) {
	b := newBalancer(t, balance.Options[string]{Endpoints: names(1), IsFailure: func(error) bool { panic("boom") }})
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not reach the caller")
			}
		}()
		_ = b.Do(t.Context(), down)
	}()
	if s := b.Stats(); s.Failures != 1 || s.InFlight != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOutcomesAreJudgedAsDocumented(t *testing.T) {
	notFound := errors.New("not found")
	empty := newBalancer(t, balance.Options[string]{})
	for _, tt := range []struct {
		name string
		call func(ctx context.Context, cancel func()) error
		want string
	}{
		{"nil", func(context.Context, func()) error { return nil }, "success"},
		{"an error", func(context.Context, func()) error { return errDown }, "failure"},
		{"an answer", func(context.Context, func()) error { return fmt.Errorf("user 7: %w", notFound) }, "success"},
		{"a deadline", func(context.Context, func()) error { return context.DeadlineExceeded }, "failure"},
		{"a caller that leaves", func(ctx context.Context, cancel func()) error { cancel(); return ctx.Err() }, "ignored"},
		{"somebody else's cancellation", func(context.Context, func()) error { return context.Canceled }, "failure"},
		{"a refusal inside", func(ctx context.Context, _ func()) error { return empty.Do(ctx, work) }, "ignored"},
		{"Ignore", func(context.Context, func()) error { return balance.Ignore(errDown) }, "ignored"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBalancer(t, balance.Options[string]{
				Endpoints: names(1), IsFailure: func(err error) bool { return !errors.Is(err, notFound) },
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var want error
			if got := b.Do(ctx, func(ctx context.Context, _ string) error { want = tt.call(ctx, cancel); return want }); got != want {
				t.Errorf("Do returned %v, want %v as it is", got, want)
			}
			s := b.Stats()
			got := map[string]int64{"success": s.Successes, "failure": s.Failures, "ignored": s.Ignored}
			for what, n := range got {
				if (n == 1) != (what == tt.want) || n > 1 {
					t.Errorf("want one %s: %v", tt.want, got)
				}
			}
		})
	}
}

// timed makes a call to a that lasts so long, while the other endpoints are excluded.
func timed(t *testing.T, b *balance.Balancer[string], took time.Duration, err error) {
	t.Helper()
	p, refused := b.Pick(t.Context(), "b", "c")
	if refused != nil || p.Endpoint != "a" {
		t.Fatalf("%q, %v", p.Endpoint, refused)
	}
	time.Sleep(took)
	p.Done(err)
}

func TestASlowerCallIsBelievedAtOnceAndQuickerOnesByAndBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalancer(t, balance.Options[string]{Endpoints: names(3), Decay: time.Second})
		latency := func() time.Duration { return stateOf(t, b, "a").Latency }
		timed(t, b, 10*time.Millisecond, nil)
		if got := latency(); got != 10*time.Millisecond {
			t.Fatalf("the first: %v", got)
		}
		timed(t, b, 100*time.Millisecond, nil)
		if got := latency(); got != 100*time.Millisecond {
			t.Fatalf("a slower one: %v", got)
		}
		time.Sleep(time.Second - 10*time.Millisecond)
		timed(t, b, 10*time.Millisecond, nil)
		if got := latency(); got < 54*time.Millisecond || got > 56*time.Millisecond {
			t.Errorf("a quick one after one Decay: %v, want half of the way from 100ms to 10ms", got)
		}
	})
}

func TestAQuickFailureDoesNotLookQuickAndASlowOneLooksSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalancer(t, balance.Options[string]{Endpoints: names(3), Decay: time.Second})
		timed(t, b, 80*time.Millisecond, nil)
		for range 3 {
			time.Sleep(time.Second)
			timed(t, b, time.Millisecond, errDown)
		}
		if got := stateOf(t, b, "a").Latency; got < 70*time.Millisecond { // it fades to no less than 7/8 of what is typical
			t.Errorf("after quick failures: %v", got)
		}
		timed(t, b, time.Second, errDown)
		if got := stateOf(t, b, "a").Latency; got != time.Second {
			t.Errorf("after a slow failure: %v", got)
		}
	})
}

func TestWhatMadeAnEndpointLookSlowFadesTowardsWhatIsTypical(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalancer(t, balance.Options[string]{Endpoints: names(3), Decay: time.Second})
		for range 100 {
			timed(t, b, 10*time.Millisecond, nil)
		}
		p, _ := b.Pick(t.Context(), "a", "c")
		time.Sleep(100 * time.Millisecond)
		p.Done(nil)
		typical := b.Stats().Typical
		time.Sleep(time.Hour)
		if got := stateOf(t, b, "b").Latency; got != typical-typical/8 {
			t.Errorf("after an hour: %v, want a little below %v", got, typical)
		}
	})
}

func TestACallThatLastedForDaysDoesNotOverflowACost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBalancer(t, balance.Options[string]{Endpoints: names(3)})
		timed(t, b, 1000*time.Hour, nil)
		if got := stateOf(t, b, "a").Latency; got != 500*time.Second || b.Stats().Typical != got {
			t.Errorf("%v, typical %v", got, b.Stats().Typical)
		}
	})
}
