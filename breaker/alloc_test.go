//go:build !race

package breaker_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/joist-go/joist/breaker"
)

func TestTheHotPathsDoNotAllocate(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	closed := must(breaker.New(breaker.Options{MinCalls: 1_000_000}))
	open := must(breaker.New(breaker.Options{MinCalls: 1, OpenFor: time.Hour}))
	wantErr(t, fail(open), errDown)
	inner := must(breaker.New(breaker.Options{}))
	k := newKeyed(t, breaker.KeyedOptions[string]{})
	k.For("key")
	ramps := must(breaker.New(breaker.Options{Ramp: 24 * time.Hour, Mode: breaker.ForcedOpen}))
	ramps.SetMode(breaker.Normal)
	observes := must(breaker.New(breaker.Options{MinCalls: 1, OpenFor: time.Hour, Mode: breaker.Observe}))
	wantErr(t, fail(observes), errDown)
	failing := func(context.Context) error { return errDown }
	timed := must(breaker.New(breaker.Options{MinCalls: 1_000_000, SlowCall: time.Hour}))
	hangs := must(breaker.New(breaker.Options{MinCalls: 1_000_000, SlowCall: time.Millisecond}))
	hangs.SetMode(breaker.ForcedClosed)
	counting := must(breaker.New(breaker.Options{
		Window: breaker.LastCalls(100), MinCalls: 100, FailureRatio: 1, SlowCall: time.Hour, ConsecutiveFailures: 1_000_000,
	}))
	wantErr(t, succeed(counting), nil)
	rows := must(breaker.New(breaker.Options{MinCalls: 1_000_000, ConsecutiveFailures: 1_000_000}))
	amend := func(b *breaker.Breaker) func() {
		return func() {
			p, err := b.Allow(ctx)
			if err != nil {
				t.Error(err)
			}
			p.Done(nil)
			p.Amend(errDown)
			if b.Do(ctx, func(context.Context) error { return nil }) != nil {
				t.Error("refused")
			}
		}
	}
	calls := map[string]func(){
		"a timed call":                  amend(timed),
		"a call in a window over calls": amend(counting),
		"a call in a row":               amend(rows),
		"a timed call that fails":       func() { _ = timed.Do(ctx, failing) },
		"a call beside one that hangs": func() {
			slow := hangs.Stats().Slow // before it begins: it may be slow at the first look
			p, err := hangs.Allow(ctx)
			if err != nil {
				t.Error(err)
			}
			for hangs.Stats().Slow == slow {
				runtime.Gosched()
			}
			p.Done(nil)
		},
		"Do that fails": func() { _ = closed.Do(ctx, failing) },
		"Allow and Done": func() {
			p, err := closed.Allow(ctx)
			if err != nil {
				t.Error(err)
			}
			p.Done(nil)
		},
		"a refusal": func() {
			if open.Do(ctx, failing) == nil {
				t.Error("not refused")
			}
		},
		"a refusal by Allow": func() {
			if _, err := open.Allow(ctx); err == nil {
				t.Error("not refused")
			}
		},
		"a call in a ramp, mostly refused": func() { _ = ramps.Do(ctx, failing) },
		"a call that is spared": func() {
			if observes.Do(ctx, failing) != errDown { //nolint:errorlint // as it was returned
				t.Error("refused")
			}
		},
		"a nested, capturing composition": func() {
			n := 0
			err := closed.Do(ctx, func(ctx context.Context) error {
				v, err := breaker.DoValue(ctx, inner, func(context.Context) (int, error) {
					n++
					return n, nil
				})
				n += v
				return err
			})
			if n != 2 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		},
		"a key": func() {
			n := 0
			if err := k.For("key").Do(ctx, func(context.Context) error { n++; return nil }); err != nil || n != 1 {
				t.Error(err)
			}
		},
		"State": func() { _, _ = closed.State(), open.State() },
	}
	for name, call := range calls {
		if n := testing.AllocsPerRun(500, call); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
