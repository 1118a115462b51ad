package limittest

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist"
	"github.com/joist-go/joist/ratelimit"
)

// whole is a taker that can do all that the suite tests.
type whole interface {
	ratelimit.Refunder
	Charger
	Setter
}

func right(limits ...ratelimit.Limit) whole {
	return ratelimit.TakerOf(joist.Must(ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{Limits: limits}))).(whole)
}

// wrong is a taker with one fault.
type wrong struct {
	whole
	take   func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error)
	answer func(r ratelimit.Result, n int64) ratelimit.Result
	refund func(t whole, key string, n int64) error
	charge func(t whole, key string, n int64) error
	set    func(t whole, key string, limits []ratelimit.Limit) error
}

func (w wrong) Take(ctx context.Context, key string, n int64) (r ratelimit.Result, err error) {
	if w.take != nil {
		return w.take(w.whole, ctx, key, n)
	}
	if r, err = w.whole.Take(ctx, key, n); err == nil && w.answer != nil {
		r = w.answer(r, n)
	}
	return r, err
}

func (w wrong) Refund(ctx context.Context, key string, n int64) error {
	if w.refund != nil {
		return w.refund(w.whole, key, n)
	}
	return w.whole.Refund(ctx, key, n)
}

func (w wrong) Charge(ctx context.Context, key string, n int64) error {
	if w.charge != nil {
		return w.charge(w.whole, key, n)
	}
	return w.whole.Charge(ctx, key, n)
}

func (w wrong) SetLimits(ctx context.Context, key string, limits []ratelimit.Limit) error {
	if w.set != nil {
		return w.set(w.whole, key, limits)
	}
	return w.whole.SetLimits(ctx, key, limits)
}

// with is w around a taker of its own.
func with(w wrong) func(testing.TB, ...ratelimit.Limit) ratelimit.Taker {
	return func(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
		w.whole = right(limits...)
		return w
	}
}

// altered is a taker of other limits, which says that it has those that it was given.
func altered(alter func(l ratelimit.Limit) ratelimit.Limit) func(testing.TB, ...ratelimit.Limit) ratelimit.Taker {
	return func(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
		others, names := []ratelimit.Limit{}, map[string]ratelimit.Limit{}
		for _, l := range limits {
			l = filled(l)
			names[l.Name] = l
			others = append(others, alter(l))
		}
		return wrong{whole: right(others...), answer: func(r ratelimit.Result, _ int64) ratelimit.Result {
			r.Limit = names[r.Limit.Name]
			return r
		}}
	}
}

// apart has a bucket for each limit, and loses what is given back when a later one denies.
func apart(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
	takers := make([]ratelimit.Taker, len(limits))
	for i, l := range limits {
		takers[i] = wrong{whole: right(l), refund: func(whole, string, int64) error { return nil }}
	}
	return ratelimit.Chain(takers...)
}

// inOrder is a chain, which names the first limit that denies.
func inOrder(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
	takers := make([]ratelimit.Taker, len(limits))
	for i, l := range limits {
		takers[i] = right(l)
	}
	return ratelimit.Chain(takers...)
}

var none = context.Background() // of the changes that a fault makes

func TestTheSuiteFindsAnAnswerThatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		test   string
		answer func(r ratelimit.Result, n int64) ratelimit.Result
	}{
		"RetryAfter is a nanosecond too short": {"a burst, and then the rate to the nanosecond", func(r ratelimit.Result, _ int64) ratelimit.Result {
			r.RetryAfter = max(min(r.RetryAfter, 1), r.RetryAfter-1)
			return r
		}},
		"RetryAfter is a nanosecond too long": {"a burst, and then the rate to the nanosecond", func(r ratelimit.Result, _ int64) ratelimit.Result {
			r.RetryAfter += min(r.RetryAfter, 1)
			return r
		}},
		"RetryAfter leaves out what has come in of a token": {"the answer of takes, denials and peeks", func(r ratelimit.Result, _ int64) ratelimit.Result {
			if token := r.Limit.Per / time.Duration(r.Limit.Tokens); r.RetryAfter > 0 {
				r.RetryAfter += (token - r.RetryAfter%token) % token
			}
			return r
		}},
		"ResetAfter is a nanosecond too long": {"the answer of takes, denials and peeks", func(r ratelimit.Result, _ int64) ratelimit.Result {
			r.ResetAfter += min(r.ResetAfter, 1)
			return r
		}},
		"nothing remains after a denial": {"the answer of takes, denials and peeks", func(r ratelimit.Result, _ int64) ratelimit.Result {
			if !r.Allowed {
				r.Remaining = 0
			}
			return r
		}},
		"the limit has no defaults": {"the answer of takes, denials and peeks", func(r ratelimit.Result, _ int64) ratelimit.Result {
			r.Limit.Burst = 0
			return r
		}},
		"it is degraded": {"a peek is always allowed and takes nothing", func(r ratelimit.Result, _ int64) ratelimit.Result {
			r.Degraded = true
			return r
		}},
		"a peek into an empty bucket is denied": {"a peek is always allowed and takes nothing", func(r ratelimit.Result, n int64) ratelimit.Result {
			r.Allowed = r.Allowed && (n > 0 || r.Remaining > 0)
			return r
		}},
		"an allowed take tells a RetryAfter": {"a peek is always allowed and takes nothing", func(r ratelimit.Result, _ int64) ratelimit.Result {
			r.RetryAfter = max(1, r.RetryAfter)
			return r
		}},
		"what never fits has a wait": {"more than the burst never fits", func(r ratelimit.Result, _ int64) ratelimit.Result {
			if r.Never {
				r.Never, r.RetryAfter = false, time.Hour
			}
			return r
		}},
		"what never fits has a wait beside": {"more than the burst never fits", func(r ratelimit.Result, _ int64) ratelimit.Result {
			if r.Never {
				r.RetryAfter = time.Hour
			}
			return r
		}},
		"what fits later never does": {"as the model, at random", func(r ratelimit.Result, _ int64) ratelimit.Result {
			if !r.Allowed {
				r.Never, r.RetryAfter = true, 0
			}
			return r
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if len(faultsOf(t, Harness{New: with(wrong{answer: c.answer})}, c.test)) == 0 {
				t.Errorf("%q finds nothing", c.test)
			}
		})
	}
}

func TestTheSuiteFindsATakerThatTakesWrong(t *testing.T) {
	type take = func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error)
	for name, c := range map[string]struct {
		test string
		take take
	}{
		"a peek takes": {"a peek is always allowed and takes nothing", func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error) {
			r, err := t.Take(ctx, key, n)
			if n == 0 && r.Remaining > 0 {
				_ = t.Charge(ctx, key, 1)
			}
			return r, err
		}},
		"a negative number is allowed": {"a bad number is an error and takes nothing", func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error) {
			return t.Take(ctx, key, max(0, n))
		}},
		"a negative number is another error": {"a bad number is an error and takes nothing", func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error) {
			if n < 0 {
				return ratelimit.Result{}, errors.New("negative")
			}
			return t.Take(ctx, key, n)
		}},
		"a negative number takes": {"a bad number is an error and takes nothing", func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error) {
			if n < 0 {
				_ = t.Charge(none, key, 1)
			}
			return t.Take(ctx, key, n)
		}},
		"a negative number gives": {"a bad number is an error and takes nothing", func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error) {
			if n < 0 {
				_ = t.Charge(none, key, 0)
				defer func() { _ = t.Refund(none, key, 1) }()
			}
			return t.Take(ctx, key, n)
		}},
		"the context is not asked": {"a context that has ended takes nothing", func(t whole, _ context.Context, key string, n int64) (ratelimit.Result, error) {
			return t.Take(none, key, n)
		}},
		"the context is asked too late": {"a context that has ended takes nothing", func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error) {
			if r, err := t.Take(none, key, n); err != nil || ctx.Err() == nil {
				return r, err
			}
			return ratelimit.Result{}, ctx.Err()
		}},
		"who is denied pays": {"a denial changes nothing", func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error) {
			r, err := t.Take(ctx, key, n)
			if !r.Allowed && err == nil {
				_ = t.Charge(ctx, key, 1)
			}
			return r, err
		}},
		"who looks and then takes is not alone": {"at one moment no more than the burst", func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error) {
			r, err := t.Take(ctx, key, 0)
			if r.Allowed = r.Remaining >= n; r.Allowed && err == nil {
				time.Sleep(1) // until all have looked
				err = t.Charge(ctx, key, n)
			}
			return r, err
		}},
		"of those who come together one is denied": {"at one moment no more than the burst", func() take {
			var calls atomic.Int64
			return func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error) {
				if calls.Add(1) == 7 {
					_ = t.Charge(ctx, key, n)
				}
				return t.Take(ctx, key, n)
			}
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			if len(faultsOf(t, Harness{New: with(wrong{take: c.take})}, c.test)) == 0 {
				t.Errorf("%q finds nothing", c.test)
			}
		})
	}
}

func TestTheSuiteFindsLimitsThatAreWrong(t *testing.T) {
	for name, c := range map[string]struct {
		test string
		h    Harness
	}{
		"a burst of one more": {"a burst, and then the rate to the nanosecond", Harness{New: altered(func(l ratelimit.Limit) ratelimit.Limit {
			return l.WithBurst(l.Burst + 1)
		})}},
		"twice the rate": {"a burst, and then the rate to the nanosecond", Harness{New: altered(func(l ratelimit.Limit) ratelimit.Limit {
			l.Per /= 2
			return l
		})}},
		"whole nanoseconds for a token": {"a rate that no nanosecond divides does not drift", Harness{New: altered(func(l ratelimit.Limit) ratelimit.Limit {
			l.Tokens, l.Per = 1, l.Per/time.Duration(l.Tokens)
			return l
		})}},
		"no limit is one": {"unlimited and none", Harness{New: altered(func(l ratelimit.Limit) ratelimit.Limit {
			if l.Tokens == ratelimit.Infinite {
				l = ratelimit.PerHour(1e6).Named(l.Name)
			}
			return l
		})}},
		"none is some": {"unlimited and none", Harness{New: altered(func(l ratelimit.Limit) ratelimit.Limit {
			if l.Burst == ratelimit.NoBurst {
				l.Burst = 1
			}
			return l
		})}},
		"a shadow denies": {"a shadow denies nothing", Harness{New: altered(func(l ratelimit.Limit) ratelimit.Limit {
			l.Shadow = false
			return l
		})}},
		"a denial takes from the earlier limits": {"three limits take all or nothing", Harness{New: apart, InOrder: true}},
		"the first limit that denies is named":   {"the limit that decides is named", Harness{New: inOrder}},
		"the last of limits that are alike is named": {"the limit that decides is named", Harness{New: func(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
			return wrong{whole: right(limits...), answer: func(r ratelimit.Result, _ int64) ratelimit.Result {
				if len(limits) == 2 {
					r.Limit = filled(limits[1])
				}
				return r
			}}
		}}},
		"the longest wait is not the one that is told": {"the limit that decides is named", Harness{New: with(wrong{}), InOrder: true}},
		"keys share": {"keys do not share", Harness{New: func(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
			return joist.Must(ratelimit.New(ratelimit.Options{Limits: limits})).Taker()
		}}},
		"an empty key is another": {"keys do not share", Harness{New: with(wrong{take: func(t whole, ctx context.Context, key string, n int64) (ratelimit.Result, error) {
			if key == "" {
				key = "a"
			}
			return t.Take(ctx, key, n)
		}})}},
	} {
		t.Run(name, func(t *testing.T) {
			if len(faultsOf(t, c.h, c.test)) == 0 {
				t.Errorf("%q finds nothing", c.test)
			}
		})
	}
}

func TestTheSuiteFindsAChangeThatIsWrong(t *testing.T) {
	const refund, charge, set = "refunds are exact, and never above the burst", "a charge goes into debt", "limits that are set in mid-fill"
	ctx := context.Background()
	for name, c := range map[string]struct {
		test string
		w    wrong
	}{
		"a refund is lost":       {refund, wrong{refund: func(whole, string, int64) error { return nil }}},
		"a refund loses a token": {refund, wrong{refund: func(t whole, key string, n int64) error { return t.Refund(ctx, key, max(n-1, min(n, 0))) }}},
		"a refund is given twice": {refund, wrong{refund: func(t whole, key string, n int64) error {
			return errors.Join(t.Refund(ctx, key, n), t.Refund(ctx, key, n))
		}}},
		"a refund of nothing is of one": {refund, wrong{refund: func(t whole, key string, n int64) error {
			if n == 0 {
				n = 1
			}
			return t.Refund(ctx, key, n)
		}}},
		"a negative refund is fine": {refund, wrong{refund: func(t whole, key string, n int64) error { return t.Refund(ctx, key, max(0, n)) }}},
		"a refund to nobody is an error": {refund, wrong{refund: func(t whole, key string, n int64) error {
			if r, _ := t.Take(ctx, key, 0); r.ResetAfter == 0 {
				return errors.New("full")
			}
			return t.Refund(ctx, key, n)
		}}},
		"a refund to nobody is a debt": {refund, wrong{refund: func(t whole, key string, n int64) error {
			if r, _ := t.Take(ctx, key, 0); r.ResetAfter == 0 && key != "ann" {
				return t.Charge(ctx, key, 1)
			}
			return t.Refund(ctx, key, n)
		}}},
		"a charge is lost": {charge, wrong{charge: func(_ whole, _ string, n int64) error {
			if n < 0 {
				return ratelimit.ErrNegative
			}
			return nil
		}}},
		"a charge ends at empty": {charge, wrong{charge: func(t whole, key string, n int64) error {
			r, _ := t.Take(ctx, key, 0)
			return t.Charge(ctx, key, min(n, r.Remaining))
		}}},
		"a negative charge is fine": {charge, wrong{charge: func(t whole, key string, n int64) error { return t.Charge(ctx, key, max(0, n)) }}},
		"a debt without end is fine": {charge, wrong{charge: func(t whole, key string, n int64) error {
			if n == math.MaxInt64 {
				n = 0
			}
			return t.Charge(ctx, key, n)
		}}},
		"a debt without end is taken in part": {charge, wrong{charge: func(t whole, key string, n int64) error {
			if n == math.MaxInt64 {
				_ = t.Charge(ctx, key, 1)
			}
			return t.Charge(ctx, key, n)
		}}},
		"new limits are not set": {set, wrong{set: func(t whole, key string, limits []ratelimit.Limit) error {
			if len(limits) == 0 || limits[0].Tokens == 0 {
				return t.SetLimits(ctx, key, limits)
			}
			return nil
		}}},
		"new limits begin full": {set, wrong{set: func(t whole, key string, limits []ratelimit.Limit) error {
			return errors.Join(t.SetLimits(ctx, key, limits), t.Refund(ctx, key, 1e6))
		}}},
		"new limits begin without the debt": {set, wrong{set: func(t whole, key string, limits []ratelimit.Limit) error {
			err := t.SetLimits(ctx, key, limits)
			if r, _ := t.Take(ctx, key, 1); r.Remaining == 0 && !r.Allowed {
				_ = t.Refund(ctx, key, 8)
			}
			return err
		}}},
		"limits that are not valid are set": {set, wrong{set: func(t whole, key string, limits []ratelimit.Limit) error {
			_ = t.SetLimits(ctx, key, limits)
			return nil
		}}},
		"limits that are not valid change something": {set, wrong{set: func(t whole, key string, limits []ratelimit.Limit) error {
			err := t.SetLimits(ctx, key, limits)
			if err != nil {
				_ = t.Charge(ctx, key, 1)
			}
			return err
		}}},
		"the old limits' names are lost": {set, wrong{set: func(t whole, key string, limits []ratelimit.Limit) error {
			others := make([]ratelimit.Limit, len(limits))
			for i, l := range limits {
				others[i] = l.Named("another").WithBurst(l.Burst)
				if i > 0 {
					others[i] = l.Named("others")
				}
			}
			if err := t.SetLimits(ctx, key, others); err != nil {
				return err
			}
			return t.SetLimits(ctx, key, limits)
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			if len(faultsOf(t, Harness{New: with(c.w)}, c.test)) == 0 {
				t.Errorf("%q finds nothing", c.test)
			}
		})
	}
}
