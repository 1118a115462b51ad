package breaker_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/retry"
)

func TestAForcedOpenBreakerRefusesEveryCallUntilTheModeChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{MinCalls: 1, OpenFor: time.Second}))
		b.SetMode(breaker.ForcedOpen)
		for range 3 {
			err := succeed(b)
			open, _ := errors.AsType[*breaker.OpenError](err)
			if !errors.Is(err, breaker.ErrOpen) || !open.Forced || open.State != breaker.Open || open.RetryAfter() != time.Second {
				t.Fatalf("answered %v: %+v", err, open)
			}
			if !strings.Contains(err.Error(), "forced open") {
				t.Errorf("%q", err)
			}
			time.Sleep(24 * time.Hour)
			wantState(t, b, breaker.Open)
		}
		if s := b.Stats(); s.Mode != breaker.ForcedOpen || s.Refused != 3 || s.RetryAfter != 0 || s.Share != 0 || s.Opened != 1 {
			t.Errorf("%+v", s)
		}
		b.SetMode(breaker.Normal)
		wantState(t, b, breaker.Closed)
		wantErr(t, succeed(b), nil)
	})
}

func TestABreakerMayBeginInAMode(t *testing.T) {
	for mode, want := range map[breaker.Mode]breaker.State{
		breaker.Normal: breaker.Closed, breaker.ForcedOpen: breaker.Open, breaker.ForcedClosed: breaker.Closed,
		breaker.Observe: breaker.Closed, breaker.RetriesOnly: breaker.Closed,
	} {
		var told []breaker.Transition
		b := must(breaker.New(breaker.Options{Mode: mode, OnStateChange: func(t breaker.Transition) { told = append(told, t) }}))
		wantState(t, b, want)
		if b.Mode() != mode || b.Stats().Mode != mode || len(told) != 0 {
			t.Errorf("%v: it is %v, told %v", mode, b.Mode(), told)
		}
		if err := succeed(b); (err == nil) != (want == breaker.Closed) {
			t.Errorf("%v: %v", mode, err)
		}
		b.SetMode(breaker.ForcedClosed)
		wantErr(t, succeed(b), nil)
	}
}

func TestAForcedClosedBreakerCountsAndNeverOpens(t *testing.T) {
	b := must(breaker.New(breaker.Options{MinCalls: 2, Mode: breaker.ForcedClosed}))
	for range 100 {
		wantErr(t, fail(b), errDown)
	}
	if s := b.Stats(); s.State != breaker.Closed || s.WindowFailures != 100 || s.FailureRatio != 1 {
		t.Fatalf("%+v", s)
	}
	b.SetMode(breaker.Normal)
	wantState(t, b, breaker.Closed)
	wantErr(t, succeed(b), nil) // the next outcome decides, of whatever kind
	wantState(t, b, breaker.Open)
}

func TestForcingABreakerClosedEndsItsOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, wait := range []time.Duration{0, time.Second} { // open, half-open
			b := must(breaker.New(breaker.Options{MinCalls: 1, OpenFor: time.Second, MaxOpenFor: time.Second, Ramp: time.Minute}))
			wantErr(t, fail(b), errDown)
			time.Sleep(wait)
			b.SetMode(breaker.ForcedClosed)
			for range 10 {
				wantErr(t, succeed(b), nil)
			}
			if s := b.Stats(); s.State != breaker.Closed || s.WindowCalls != 10 || s.Share != 1 || s.Opened != 1 {
				t.Errorf("%+v", s)
			}
		}
	})
}

func TestAnObservingBreakerTellsAndRefusesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []breaker.State
		b := must(breaker.New(breaker.Options{
			MinCalls: 2, Probes: 1, OpenFor: time.Second, MaxOpenFor: time.Second, Mode: breaker.Observe,
			OnStateChange: func(t breaker.Transition) { told = append(told, t.To) },
		}))
		s := &span{recording: true}
		ctx := trace.ContextWithSpan(t.Context(), s)
		for range 5 { // the last three would have been refused
			wantErr(t, b.Do(ctx, func(context.Context) error { return errDown }), errDown)
		}
		if got := b.Stats(); got.State != breaker.Open || got.Failures != 2 || got.Spared != 3 || got.Refused != 0 || got.Late != 0 {
			t.Errorf("%+v", got)
		}
		if len(s.events) != 4 || !strings.HasPrefix(s.events[3], "joist.breaker.spared joist.breaker.state=open") {
			t.Errorf("events %q", s.events)
		}
		time.Sleep(time.Second)
		probe := must(b.Allow(t.Context()))
		wantErr(t, fail(b), errDown) // the only place is taken: it counts nowhere
		probe.Done(nil)
		if want := []breaker.State{breaker.Open, breaker.HalfOpen, breaker.Closed}; !slices.Equal(told, want) {
			t.Errorf("told of %v, want %v", told, want)
		}
		if got := b.Stats(); got.State != breaker.Closed || got.Spared != 4 || got.Failures != 2 {
			t.Errorf("%+v", got)
		}
	})
}

func TestRetriesOnlyRefusesLaterAttemptsOfARealPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{
			MinCalls: 1, OpenFor: time.Second, MaxOpenFor: time.Second, Probes: 1, Mode: breaker.RetriesOnly,
		}))
		p := must(retry.New(retry.Options{MaxAttempts: 3, Backoff: retry.Exponential(time.Millisecond, time.Millisecond)}))
		wantErr(t, fail(b), errDown)
		wantState(t, b, breaker.Open)
		var made []int
		var refused error
		err := p.Do(t.Context(), func(ctx context.Context) error {
			err := b.Do(ctx, func(ctx context.Context) error {
				made = append(made, retry.Attempt(ctx))
				return errDown
			})
			if errors.Is(err, breaker.ErrOpen) {
				refused = err
			}
			return err
		})
		if err == nil || refused == nil || !slices.Equal(made, []int{1}) {
			t.Fatalf("attempts %v went out, the second was answered %v: %v", made, refused, err)
		}
		for range 10 { // first attempts of other calls
			wantErr(t, succeed(b), nil)
		}
		if s := b.Stats(); s.Refused == 0 || s.Spared != 11 || s.State != breaker.Open {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)
		wantState(t, b, breaker.HalfOpen)
		wantErr(t, succeed(b), nil) // a first attempt is a probe like any other
		wantState(t, b, breaker.Closed)
	})
}

func TestAModeThatLeavesTheStateAsItIsKeepsThePermitsThatAreOut(t *testing.T) {
	b := must(breaker.New(breaker.Options{MinCalls: 2}))
	p := must(b.Allow(t.Context()))
	for _, m := range []breaker.Mode{breaker.Observe, breaker.RetriesOnly, breaker.ForcedClosed, breaker.Normal} {
		b.SetMode(m)
		if b.Mode() != m {
			t.Fatalf("the mode is %v, want %v", b.Mode(), m)
		}
	}
	p.Done(errDown)
	if s := b.Stats(); s.Late != 0 || s.WindowFailures != 1 {
		t.Fatalf("%+v", s)
	}
	wantErr(t, fail(b), errDown)
	wantState(t, b, breaker.Open)
}

func TestAPermitFromBeforeAForcedStateCountsNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, 2)
		probe := must(b.Allow(t.Context()))
		b.SetMode(breaker.ForcedOpen)
		b.SetMode(breaker.Normal)
		probe.Done(errDown)
		if s := b.Stats(); s.State != breaker.Closed || s.Late != 1 || s.WindowCalls != 0 || s.Probing != 0 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestAListenerMayChangeTheMode(t *testing.T) {
	var b *breaker.Breaker
	var told []breaker.Transition
	b = must(breaker.New(breaker.Options{MinCalls: 1, OnStateChange: func(t breaker.Transition) {
		told = append(told, t)
		if t.Mode == breaker.Normal {
			b.SetMode(breaker.ForcedClosed)
		}
	}}))
	wantErr(t, fail(b), errDown)
	if len(told) != 2 || told[0].To != breaker.Open || told[1].To != breaker.Closed || told[1].Mode != breaker.ForcedClosed || told[1].From != breaker.Open {
		t.Fatalf("told of %+v", told)
	}
}

func TestAnUnknownModePanics(t *testing.T) {
	for name, set := range map[string]func(breaker.Mode){
		"Breaker": must(breaker.New(breaker.Options{})).SetMode,
		"Keyed":   must(breaker.NewKeyed(breaker.KeyedOptions[int]{})).SetMode,
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s.SetMode took it", name)
				}
			}()
			set(breaker.RetriesOnly + 1)
		}()
	}
}

func TestModesHaveNames(t *testing.T) {
	names := []string{"normal", "forced_open", "forced_closed", "observe", "retries_only", "unknown"}
	for m, want := range names {
		if got := breaker.Mode(m).String(); got != want {
			t.Errorf("%d is %q, want %q", m, got, want)
		}
	}
}

func TestMetricsTellTheModeAndWhoWasSpared(t *testing.T) {
	p := &meterProvider{}
	b := must(breaker.New(breaker.Options{MinCalls: 1, MeterProvider: p, Mode: breaker.Observe}))
	wantErr(t, fail(b), errDown)
	wantErr(t, fail(b), errDown)
	b.SetMode(breaker.ForcedClosed)
	got := p.collect()
	maps.DeleteFunc(got, func(_ string, v int64) bool { return v == 0 })
	want := map[string]int64{
		"calls outcome=failure joist.name=default":           1,
		"calls outcome=spared joist.name=default":            1,
		"transitions from=closed to=open joist.name=default": 1,
		"transitions from=open to=closed joist.name=default": 1,
		"status state=closed joist.name=default":             1,
		"mode mode=forced_closed joist.name=default":         1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("collected %v\nwant      %v", got, want)
	}
}

func TestAKeyedsModeIsThatOfAllItsBreakersAndOfNewOnes(t *testing.T) {
	k := newKeyed(t, breaker.KeyedOptions[string]{MaxKeys: 2})
	wantErr(t, succeed(k.For("a")), nil)
	wantErr(t, fail(k.For("down")), errDown)
	k.SetMode(breaker.ForcedOpen)
	for _, key := range []string{"a", "down", "overflows"} {
		wantErr(t, succeed(k.For(key)), breaker.ErrOpen)
	}
	k.SetMode(breaker.Observe)
	for _, key := range []string{"a", "down", "new", "another"} {
		wantErr(t, fail(k.For(key)), errDown)
		wantErr(t, fail(k.For(key)), errDown)
		if m := k.For(key).Mode(); m != breaker.Observe {
			t.Errorf("%s is in mode %v", key, m)
		}
	}
	if s := k.Stats(); s.Mode != breaker.Observe || k.Mode() != breaker.Observe || s.OwnMode != 0 || s.Spared == 0 || s.Refused != 3 {
		t.Errorf("%+v", s)
	}
}

func TestABreakerWithAModeOfItsOwnIsNotDropped(t *testing.T) {
	k := newKeyed(t, breaker.KeyedOptions[string]{MaxKeys: 2})
	k.For("forced").SetMode(breaker.ForcedClosed)
	for _, key := range []string{"a", "b", "c"} {
		wantErr(t, succeed(k.For(key)), nil)
	}
	if s := k.Stats(); s.OwnMode != 1 || s.Dropped != 2 || k.For("forced").Mode() != breaker.ForcedClosed {
		t.Errorf("%+v", s)
	}
	k.SetMode(breaker.Normal)
	if s := k.Stats(); s.OwnMode != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOfConcurrentModesOfAKeyedOneHoldsForAllKeys(t *testing.T) {
	modes := []breaker.Mode{breaker.Normal, breaker.ForcedOpen, breaker.Observe, breaker.ForcedClosed}
	k := newKeyed(t, breaker.KeyedOptions[string]{MaxKeys: 64})
	keys := strings.Split("abcdefghijklmnop", "")
	var wg sync.WaitGroup
	for _, m := range modes {
		wg.Go(func() {
			for range 200 {
				k.SetMode(m)
			}
		})
	}
	var calls atomic.Int64
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				if succeed(k.For(keys[i%len(keys)])) == nil {
					calls.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if s := k.Stats(); s.OwnMode != 0 || s.Closed+s.Open+s.HalfOpen != len(keys) {
		t.Errorf("%d calls: %+v", calls.Load(), s)
	}
}

// While it is forced closed a breaker looks away. The first outcome after that is looked at, though it is a success and the
// window was known to be harmless before.
func TestWhatHappensWhileForcedClosedDecidesWithTheNextOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := breaker.Options{MinCalls: 4, Mode: breaker.ForcedClosed}
		harmless := func(b *breaker.Breaker) {
			wantErr(t, fail(b), errDown)
			for range 3 {
				wantErr(t, succeed(b), nil)
			}
		}

		b := must(breaker.New(o))
		harmless(b)
		for range 4 {
			wantErr(t, fail(b), errDown)
		}
		b.SetMode(breaker.Normal)
		wantState(t, b, breaker.Closed)
		wantErr(t, succeed(b), nil) // 5 of 9 failed
		wantState(t, b, breaker.Open)

		o.SlowCall, o.SlowRatio = time.Second, 0.5
		b = must(breaker.New(o))
		for range 5 {
			hangs := must(b.Allow(t.Context()))
			defer hangs.Done(nil)
		}
		time.Sleep(1100 * time.Millisecond)
		harmless(b)
		time.Sleep(200 * time.Millisecond)
		if s := b.Stats(); s.WindowSlow != 5 || s.State != breaker.Closed {
			t.Fatalf("%+v", s)
		}
		b.SetMode(breaker.Normal)
		wantErr(t, succeed(b), nil) // 5 of 10 hang
		wantState(t, b, breaker.Open)
	})
}
