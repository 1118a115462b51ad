package retry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/retry"
)

// stubborn is a fetch that pays no attention to its ctx.
func stubborn(d time.Duration) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { time.Sleep(d); return 1, nil }
}

func TestAHedgedCallerThatLeavesIsAnsweredAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		want   error
		reason retry.Reason
	}{
		"by cancelling": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(70*ms, cancel)
			return ctx, cancel
		}, context.Canceled, retry.ReasonCancelled},
		"at the deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 70*ms)
		}, context.DeadlineExceeded, retry.ReasonDeadline},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPolicy(t, retry.Options{HedgeDelay: 50 * ms})
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				from := time.Now()
				_, err := retry.Hedge(ctx, p, stubborn(time.Hour))
				took := time.Since(from)
				e, ok := errors.AsType[*retry.Error](err)
				if !ok || e.Reason != tt.reason || e.Attempts != 2 || e.Refused() || !errors.Is(err, tt.want) || took != 70*ms {
					t.Errorf("got %#v after %v", err, took)
				}
				time.Sleep(2 * time.Hour) // the attempts have ended, and the bubble has nothing left
			})
		})
	}
}

func TestTheWorksErrorIsNotLostWhenAHedgedCallRunsOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{HedgeDelay: 50 * ms})
		ctx, cancel := context.WithTimeout(t.Context(), 70*ms)
		defer cancel()
		fetch, _ := fetching(t, reply{after: 60 * ms, err: errDown}, reply{after: time.Hour})
		if _, err := retry.Hedge(ctx, p, fetch); !errors.Is(err, errDown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAHedgeThatCannotBeInTimeIsNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{HedgeDelay: 50 * ms})
		for range 20 { // attempts take 40 ms
			if _, err := retry.Hedge(t.Context(), p, stubborn(40*ms)); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 85*ms)
		defer cancel()
		fetch, begun := fetching(t, reply{after: 80 * ms, v: 1})
		if v, err := retry.Hedge(ctx, p, fetch); v != 1 || err != nil || len(begun()) != 1 {
			t.Errorf("got %v, %v", v, err)
		}
		from := time.Now()
		ctx, cancel = context.WithTimeout(t.Context(), 45*ms)
		defer cancel()
		fetch, _ = fetching(t, reply{after: 10 * ms, err: errDown})
		if _, err := retry.Hedge(ctx, p, fetch); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errDown) || time.Since(from) != 10*ms {
			t.Errorf("got %v after %v, want a failure at once", err, time.Since(from))
		}
	})
}

func TestAContextThatIsOverHasNoAttempt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := newPolicy(t, retry.Options{})
	_, err := retry.Hedge(ctx, p, func(context.Context) (int, error) { t.Error("fetch was called"); return 0, nil })
	if err != context.Canceled || p.Stats().Cancelled != 1 { //nolint:errorlint // as it is
		t.Errorf("got %v; stats are %+v", err, p.Stats())
	}
}

func TestAPanicOfAnAttemptReachesTheCallerWithItsStack(t *testing.T) {
	for _, at := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			p := newPolicy(t, retry.Options{HedgeDelay: 50 * ms})
			other := make(chan error, 1)
			func() {
				defer func() {
					e, ok := recover().(*retry.PanicError)
					if !ok || e.Value != "boom" || !strings.Contains(string(e.Stack), "workThatPanics") || !strings.Contains(e.Error(), "workThatPanics") {
						t.Errorf("recovered %v", e)
					}
				}()
				_, _ = retry.Hedge(t.Context(), p, func(ctx context.Context) (int, error) {
					if retry.Attempt(ctx) == at {
						time.Sleep(100 * ms)
						workThatPanics()
					}
					<-ctx.Done()
					other <- ctx.Err()
					return 0, ctx.Err()
				})
				t.Error("Hedge returned")
			}()
			if err := <-other; !errors.Is(err, context.Canceled) {
				t.Errorf("the other attempt ended with %v", err)
			}
			if s := p.Stats(); s.Unheard != 0 {
				t.Errorf("stats are %+v", s)
			}
		})
	}
}

func TestAPanicThatNobodyWaitsForIsCountedAndLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		p := newPolicy(t, retry.Options{Name: "api", HedgeDelay: 50 * ms, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		v, err := retry.Hedge(t.Context(), p, func(ctx context.Context) (int, error) {
			if retry.Attempt(ctx) == 1 {
				<-ctx.Done()
				panic(errDown)
			}
			return 2, nil
		})
		if v != 2 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		synctest.Wait()
		if s := p.Stats(); s.Unheard != 1 || s.Recovered != 1 {
			t.Errorf("stats are %+v", s)
		}
		if got := lines.String(); !strings.Contains(got, "joist/retry") || !strings.Contains(got, "joist.name=api") || !strings.Contains(got, "retry.PanicError") || strings.Contains(got, "down") {
			t.Errorf("logged %q", got)
		}
	})
}

func TestAGoexitOfAnAttemptIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{HedgeDelay: 50 * ms})
		_, err := retry.Hedge(t.Context(), p, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
		if !errors.Is(err, retry.ErrGoexit) {
			t.Errorf("got %v", err)
		}
		_, err = retry.Hedge(t.Context(), p, func(ctx context.Context) (int, error) {
			if retry.Attempt(ctx) == 2 {
				runtime.Goexit()
			}
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if e, ok := errors.AsType[*retry.Error](err); !ok || e.Reason != retry.ReasonPermanent || !errors.Is(err, retry.ErrGoexit) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAPanicInOnRetryLeavesNoAttemptBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{HedgeDelay: 50 * ms, OnRetry: func(context.Context, retry.Event) { panic("boom") }})
		ended := make(chan struct{})
		func() {
			defer func() {
				if recover() != "boom" {
					t.Error("the panic is lost")
				}
			}()
			_, _ = retry.Hedge(t.Context(), p, func(ctx context.Context) (int, error) {
				defer close(ended)
				<-ctx.Done()
				return 0, ctx.Err()
			})
		}()
		<-ended
	})
}

func TestABreakerCountsAHedgedCallOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := breaker.New(breaker.Options{MinCalls: 1})
		if err != nil {
			t.Fatal(err)
		}
		p := newPolicy(t, retry.Options{HedgeDelay: 50 * ms, MaxHedges: 2, Budget: retry.NoBudget})
		for range 100 {
			v, err := retry.Hedge(t.Context(), p, func(ctx context.Context) (int, error) {
				return breaker.DoValue(ctx, b, func(ctx context.Context) (int, error) {
					if n := retry.Attempt(ctx); n == 3 {
						return n, nil
					}
					<-ctx.Done()
					return 0, context.Cause(ctx)
				})
			})
			if v != 3 || err != nil {
				t.Fatalf("got %v, %v", v, err)
			}
		}
		synctest.Wait()
		if s := b.Stats(); s.Successes != 100 || s.Failures != 0 || s.Ignored != 200 || b.State() != breaker.Closed {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestABreakerInRetriesOnlyModeRefusesHedgesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := breaker.New(breaker.Options{MinCalls: 1, Mode: breaker.RetriesOnly, OpenFor: time.Hour, MaxOpenFor: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		_ = b.Do(t.Context(), func(context.Context) error { return errDown })
		p := newPolicy(t, retry.Options{HedgeDelay: 50 * ms, MaxHedges: 2})
		inner, begun := fetching(t, reply{after: 200 * ms, v: 1})
		v, err := retry.Hedge(t.Context(), p, func(ctx context.Context) (int, error) { return breaker.DoValue(ctx, b, inner) })
		if v != 1 || err != nil || len(begun()) != 1 {
			t.Errorf("got %v, %v", v, err)
		}
		if s := b.Stats(); s.Refused != 1 {
			t.Errorf("stats are %+v: the refusal's hint is too long for another hedge", s)
		}
	})
}

func TestACallThatIsARetryIsNotHedgedWithFirstTriesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer := newPolicy(t, retry.Options{MaxAttempts: 2, Backoff: instant})
		inner := newPolicy(t, retry.Options{HedgeDelay: 50 * ms, FirstTriesOnly: true})
		_, err := retry.DoValue(t.Context(), outer, func(ctx context.Context) (int, error) {
			return retry.Hedge(ctx, inner, func(context.Context) (int, error) { time.Sleep(80 * ms); return 0, errDown })
		})
		if s := inner.Stats(); !errors.Is(err, errDown) || s.Hedges != 1 {
			t.Errorf("got %v; stats are %+v: the first call alone may be hedged", err, s)
		}
	})
}

var quiet = slog.New(slog.DiscardHandler)

func TestNoHedgeGoesOutForACallerWhoHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := newBudget(t, retry.BudgetOptions{})
		ctx, leave := context.WithCancel(t.Context())
		p := newPolicy(t, retry.Options{Budget: budget, Retryable: func(error) bool { leave(); return true }})
		fetch, begun := fetching(t, reply{after: 10 * ms, err: errDown}, reply{after: time.Hour})
		_, err := retry.Hedge(ctx, p, fetch)
		synctest.Wait()
		stopped(t, err, retry.ReasonCancelled, 1)
		if s := budget.Stats(); len(begun()) != 1 || s.Spent != 0 || !errors.Is(err, errDown) {
			t.Errorf("got %v; the budget has %+v", err, s)
		}
	})
}

// A Goexit of a hedged call inside must not be repeated by a policy around it.
func TestAGoexitOfAnAttemptIsPermanentForPoliciesAroundToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, outer := newPolicy(t, retry.Options{}), newPolicy(t, retry.Options{})
		_, err := retry.DoValue(t.Context(), outer, func(ctx context.Context) (int, error) {
			return retry.Hedge(ctx, inner, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
		})
		if s := outer.Stats(); !errors.Is(err, retry.ErrGoexit) || s.Permanent != 1 || s.Retries != 0 {
			t.Errorf("got %v; stats are %+v", err, s)
		}
	})
}

// As with Do: a failure that is told after the caller has left says so, whatever Retryable thinks of it, and is not the
// dependency's.
func TestAFailureAfterAHedgedCallerHasLeftCountsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget, err := retry.GRPCBudget(10, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 { // either may be seen first: that the caller has left, or the failure
			ctx, leave := context.WithCancel(t.Context())
			p := newPolicy(t, retry.Options{Budget: budget, Retryable: func(error) bool { t.Error("Retryable was asked"); return false }})
			_, err := retry.Hedge(ctx, p, func(context.Context) (int, error) { leave(); return 0, errDown })
			stopped(t, err, retry.ReasonCancelled, 1)
			synctest.Wait()
		}
		if got := budget.Stats().Available; got != 5 {
			t.Errorf("%v attempts may fail, want all 5", got)
		}
	})
}
