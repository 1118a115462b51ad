package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// reply is how an attempt goes: what it returns, and after how long. Without a time it returns only when its ctx ends.
type reply struct {
	after time.Duration
	v     int
	err   error
}

// fetching returns a fetch whose n-th attempt goes as the n-th reply says, and when each began. It obeys its ctx.
func fetching(t *testing.T, replies ...reply) (fetch func(context.Context) (int, error), begun func() []time.Duration) {
	t.Helper()
	origin := time.Now()
	times := make(chan time.Duration, len(replies))
	fetch = func(ctx context.Context) (int, error) {
		select {
		case times <- time.Since(origin):
		default:
			t.Error("there are more attempts than replies")
			return 0, retry.Permanent(errDown)
		}
		r := replies[retry.Attempt(ctx)-1]
		var after <-chan time.Time
		if r.after > 0 {
			after = time.After(r.after)
		}
		select {
		case <-after:
			return r.v, r.err
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return fetch, func() (all []time.Duration) {
		for len(times) > 0 {
			all = append(all, <-times)
		}
		return all
	}
}

const ms = time.Millisecond

// Each case is a call with a delay of 50 ms and up to two hedges.
func TestHedging(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options retry.Options
		replies []reply
		v       int
		err     []error // all are in the error
		reason  retry.Reason
		took    time.Duration
		begun   []time.Duration
	}{
		{
			name: "an answer in time is not hedged", replies: []reply{{after: 49 * ms, v: 1}},
			v: 1, took: 49 * ms, begun: []time.Duration{0},
		}, {
			name: "a slow answer is, and the first to come wins", replies: []reply{{}, {after: 10 * ms, v: 2}},
			v: 2, took: 60 * ms, begun: []time.Duration{0, 50 * ms},
		}, {
			name: "the first attempt may still win", replies: []reply{{after: 60 * ms, v: 1}, {after: 20 * ms, v: 2}},
			v: 1, took: 60 * ms, begun: []time.Duration{0, 50 * ms},
		}, {
			name: "hedges follow each other by the delay, up to MaxHedges", replies: []reply{{after: time.Second, v: 1}, {}, {}},
			v: 1, took: time.Second, begun: []time.Duration{0, 50 * ms, 100 * ms},
		}, {
			name: "a failure brings the next at once, and the delay begins anew", replies: []reply{{after: 10 * ms, err: errDown}, {}, {after: 5 * ms, v: 3}},
			v: 3, took: 65 * ms, begun: []time.Duration{0, 10 * ms, 60 * ms},
		}, {
			name:    "all fail",
			replies: []reply{{after: 10 * ms, err: errDown}, {after: 10 * ms, err: errDown}, {after: 10 * ms, err: errLast}},
			err:     []error{errLast, retry.ErrExhausted}, reason: retry.ReasonExhausted, took: 30 * ms, begun: []time.Duration{0, 10 * ms, 20 * ms},
		}, {
			name: "the last failure is the one that came last", replies: []reply{{after: 200 * ms, err: errLast}, {after: ms, err: errDown}, {after: ms, err: errDown}},
			err: []error{errLast, retry.ErrExhausted}, reason: retry.ReasonExhausted, took: 200 * ms, begun: []time.Duration{0, 50 * ms, 51 * ms},
		}, {
			name: "an error that no retry can help ends all", replies: []reply{{}, {after: 10 * ms, err: retry.Permanent(errLast)}},
			err: []error{errLast}, reason: retry.ReasonPermanent, took: 60 * ms, begun: []time.Duration{0, 50 * ms},
		}, {
			name:    "one that is not Retryable does too",
			options: retry.Options{Retryable: func(err error) bool { return !errors.Is(err, errLast) }},
			replies: []reply{{}, {after: 10 * ms, err: errLast}},
			err:     []error{errLast}, reason: retry.ReasonPermanent, took: 60 * ms, begun: []time.Duration{0, 50 * ms},
		}, {
			name: "of the first attempt alone it is returned as it is", replies: []reply{{after: 10 * ms, err: retry.Permanent(errLast)}},
			err: []error{errLast}, took: 10 * ms, begun: []time.Duration{0},
		}, {
			name: "a hint is waited for", replies: []reply{{after: 10 * ms, err: retry.After(errDown, 300*ms)}, {after: 10 * ms, v: 2}},
			v: 2, took: 320 * ms, begun: []time.Duration{0, 310 * ms},
		}, {
			name:    "a hint holds for all hedges",
			replies: []reply{{after: 60 * ms, err: retry.After(errDown, 300*ms)}, {after: 20 * ms, err: errDown}, {after: 10 * ms, v: 3}},
			v:       3, took: 370 * ms, begun: []time.Duration{0, 50 * ms, 360 * ms},
		}, {
			name:    "a hint above MaxHint ends the hedges, and what is under way goes on",
			options: retry.Options{MaxHint: time.Second},
			replies: []reply{{after: 500 * ms, v: 1}, {after: 10 * ms, err: retry.After(errDown, time.Minute)}},
			v:       1, took: 500 * ms, begun: []time.Duration{0, 50 * ms},
		}, {
			name:    "and the call when nothing is under way",
			options: retry.Options{MaxHint: time.Second},
			replies: []reply{{after: 70 * ms, err: errDown}, {after: 10 * ms, err: retry.After(errLast, time.Minute)}},
			err:     []error{errDown}, reason: retry.ReasonPermanent, took: 70 * ms, begun: []time.Duration{0, 50 * ms},
		}, {
			name:    "each attempt has the AttemptTimeout",
			options: retry.Options{AttemptTimeout: 100 * ms},
			replies: []reply{{}, {}, {}},
			err:     []error{context.DeadlineExceeded, retry.ErrExhausted}, reason: retry.ReasonExhausted, took: 200 * ms, begun: []time.Duration{0, 50 * ms, 100 * ms},
		}, {
			name:    "no hedge begins after MaxElapsed",
			options: retry.Options{MaxElapsed: 90 * ms},
			replies: []reply{{after: 200 * ms, v: 1}, {}},
			v:       1, took: 200 * ms, begun: []time.Duration{0, 50 * ms},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := tt.options
				o.HedgeDelay, o.MaxHedges = 50*ms, 2
				p := newPolicy(t, o)
				fetch, begun := fetching(t, tt.replies...)
				from := time.Now()
				v, err := retry.Hedge(t.Context(), p, fetch)
				if took := time.Since(from); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
				if got := begun(); !equal(got, tt.begun) {
					t.Errorf("attempts began at %v, want %v", got, tt.begun)
				}
				if v != tt.v || (err == nil) != (tt.err == nil) {
					t.Errorf("got %v, %v", v, err)
				}
				for _, want := range tt.err {
					if !errors.Is(err, want) {
						t.Errorf("%v is not %v", err, want)
					}
				}
				if e, ok := errors.AsType[*retry.Error](err); ok != (tt.reason != 0) || ok && (e.Reason != tt.reason || e.Attempts != len(tt.begun)) {
					t.Errorf("got %#v", err)
				}
			})
		})
	}
}

var errLast = errors.New("down at last")

func equal(a, b []time.Duration) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestWithoutADelayOnlyAFailureBringsAHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		fetch, _ := fetching(t, reply{after: time.Hour, v: 1})
		if v, err := retry.Hedge(t.Context(), p, fetch); v != 1 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		fetch, begun := fetching(t, reply{after: time.Minute, err: errDown}, reply{after: time.Minute, v: 2})
		if v, err := retry.Hedge(t.Context(), p, fetch); v != 2 || err != nil || !equal(begun(), []time.Duration{0, time.Minute}) {
			t.Errorf("got %v, %v", v, err)
		}
		if s := p.Stats(); s.FirstTry != 1 || s.Recovered != 1 || s.Hedges != 1 || s.Retries != 0 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestLosersAreCancelledAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{HedgeDelay: 50 * ms})
		causes := make(chan error, 1)
		v, err := retry.Hedge(t.Context(), p, func(ctx context.Context) (int, error) {
			if retry.Attempt(ctx) == 2 {
				return 2, nil
			}
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return 0, ctx.Err()
		})
		if v != 2 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		if cause := <-causes; !errors.Is(cause, context.Canceled) || cause == context.Canceled { //nolint:errorlint // it says more
			t.Errorf("the loser was cancelled with %v", cause)
		}
	})
}

func TestOnRetryIsToldOfHedges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []retry.Event
		p := newPolicy(t, retry.Options{Name: "api", HedgeDelay: 50 * ms, MaxHedges: 2, OnRetry: func(_ context.Context, e retry.Event) {
			events = append(events, e)
		}})
		fetch, _ := fetching(t, reply{}, reply{after: 10 * ms, err: errDown}, reply{after: 10 * ms, v: 3})
		if v, err := retry.Hedge(t.Context(), p, fetch); v != 3 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		want := []retry.Event{{Policy: "api", Attempt: 2}, {Policy: "api", Attempt: 3, Err: errDown}}
		if len(events) != 2 || events[0] != want[0] || events[1] != want[1] {
			t.Errorf("told %+v, want %+v", events, want)
		}
	})
}

func TestHedgesDrawOnTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := newBudget(t, retry.BudgetOptions{Burst: 1})
		p := newPolicy(t, retry.Options{HedgeDelay: 50 * ms, MaxHedges: 5, Budget: budget})
		fetch, begun := fetching(t, reply{after: time.Second, v: 1}, reply{}, reply{})
		if v, err := retry.Hedge(t.Context(), p, fetch); v != 1 || err != nil || len(begun()) != 2 {
			t.Errorf("got %v, %v, want the first attempt's answer and one hedge", v, err)
		}
		if s := budget.Stats(); s.Spent != 1 || s.Refused != 1 || s.Calls != 1 {
			t.Errorf("stats are %+v", s)
		}
		fetch, _ = fetching(t, reply{after: time.Second, err: errDown})
		_, err := retry.Hedge(t.Context(), p, fetch)
		if e, ok := errors.AsType[*retry.Error](err); !ok || e.Reason != retry.ReasonBudget || e.Attempts != 1 || !errors.Is(err, errDown) || !errors.Is(err, retry.ErrBudget) {
			t.Errorf("got %#v", err)
		}
		if s := p.Stats(); s.FirstTry != 1 || s.Budget != 1 || s.Hedges != 1 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestHedgesPayWithPresetsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := retry.AWSBudget()
		if err != nil {
			t.Fatal(err)
		}
		p := newPolicy(t, retry.Options{HedgeDelay: 50 * ms, Budget: b})
		for _, tt := range []struct {
			replies   []reply
			available float64
		}{
			{[]reply{{}, {after: ms, v: 2}}, 100},                                                  // 5, and back when the hedge wins
			{[]reply{{after: 60 * ms, v: 1}, {}}, 99.2},                                            // 5, and 1 for the first attempt: 496
			{[]reply{{after: ms, err: context.DeadlineExceeded}, {after: ms, err: errDown}}, 97.2}, // 10: 486
		} {
			fetch, _ := fetching(t, tt.replies...)
			_, _ = retry.Hedge(t.Context(), p, fetch)
			if got := b.Stats().Available; got != tt.available {
				t.Errorf("%v available, want %v", got, tt.available)
			}
		}
		if b, err = retry.GRPCBudget(10, 1); err != nil {
			t.Fatal(err)
		}
		p = newPolicy(t, retry.Options{HedgeDelay: 50 * ms, Budget: b})
		fetch, _ := fetching(t, reply{after: ms, err: errDown}, reply{after: ms, err: errDown})
		_, _ = retry.Hedge(t.Context(), p, fetch) // 8
		fetch, _ = fetching(t, reply{}, reply{after: ms, v: 2})
		_, _ = retry.Hedge(t.Context(), p, fetch) // 9: a loser is no failure
		if got := b.Stats().Available; got != 4 {
			t.Errorf("%v available, want 4", got)
		}
	})
}
