package retry_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// looped is Do by way of a run.
func looped(ctx context.Context, p *retry.Policy, fn func(context.Context) error) error {
	run := p.Start(ctx)
	for ctx := range run.Attempts() {
		run.Done(fn(ctx))
	}
	return run.Err()
}

// ways are the two ways to make a call, which must not differ.
var ways = map[string]func(context.Context, *retry.Policy, func(context.Context) error) error{
	"Do":    func(ctx context.Context, p *retry.Policy, fn func(context.Context) error) error { return p.Do(ctx, fn) },
	"Start": looped,
}

func TestARunEndsAsDoDoes(t *testing.T) {
	twice := func() func(context.Context) error { work, _ := failing(2, errDown); return work }
	always := func() func(context.Context) error { return func(context.Context) error { return errDown } }
	fatal := func() func(context.Context) error {
		return func(context.Context) error { return retry.Permanent(errDown) }
	}
	hangs := func() func(context.Context) error {
		return func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	}
	steady := retry.Constant(time.Second).WithJitter(retry.None)
	for name, c := range map[string]struct {
		options retry.Options
		within  time.Duration
		work    func() func(context.Context) error
	}{
		"recovered":      {work: twice},
		"exhausted":      {work: always},
		"permanent":      {work: fatal},
		"once":           {options: retry.Options{MaxAttempts: 1}, work: always},
		"deadline":       {within: 1500 * time.Millisecond, work: always},
		"over":           {within: -time.Second, work: always},
		"MaxElapsed":     {options: retry.Options{MaxElapsed: 1500 * time.Millisecond, MaxAttempts: 9}, work: always},
		"AttemptTimeout": {options: retry.Options{AttemptTimeout: time.Second}, work: hangs},
	} {
		t.Run(name, func(t *testing.T) {
			type outcome struct {
				text  string
				took  time.Duration
				stats retry.Stats
			}
			got := map[string]outcome{}
			for way, call := range ways {
				synctest.Test(t, func(t *testing.T) {
					c.options.Backoff = steady
					p := newPolicy(t, c.options)
					ctx := t.Context()
					if c.within != 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, c.within)
						defer cancel()
					}
					began := time.Now()
					text := "nil"
					if err := call(ctx, p, c.work()); err != nil {
						text = err.Error()
					}
					got[way] = outcome{text, time.Since(began), p.Stats()}
				})
			}
			if got["Do"] != got["Start"] {
				t.Errorf("Do:    %+v\nStart: %+v", got["Do"], got["Start"])
			}
		})
	}
}

func TestEachIterationIsAnAttemptWithAContextThatEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{AttemptTimeout: time.Minute})
		var numbers []int
		var earlier []context.Context
		run := p.Start(t.Context())
		for ctx := range run.Attempts() {
			for _, old := range earlier {
				if old.Err() == nil {
					t.Error("the context of an earlier attempt lives")
				}
			}
			earlier = append(earlier, ctx)
			numbers = append(numbers, retry.Attempt(ctx))
			run.Done(errDown)
			if ctx.Err() != nil {
				t.Error("the context ended with Done and not with the iteration")
			}
		}
		if !slices.Equal(numbers, []int{1, 2, 3}) {
			t.Errorf("the attempts were %v", numbers)
		}
		stopped(t, run.Err(), retry.ReasonExhausted, 3)
	})
}

func TestARunThatIsLeftHasNoOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		leave    func(run *retry.Run, attempt int) (out bool)
		err      error
		attempts int
	}{
		"break without Done":           {func(*retry.Run, int) bool { return true }, retry.ErrAbandoned, 1},
		"an iteration without Done":    {func(*retry.Run, int) bool { return false }, retry.ErrAbandoned, 1},
		"break after Done of an error": {func(r *retry.Run, _ int) bool { r.Done(errDown); return true }, errDown, 1},
		"break at a retry": {func(r *retry.Run, n int) bool {
			if n == 1 {
				r.Done(errDown)
			}
			return n == 2
		}, retry.ErrAbandoned, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPolicy(t, retry.Options{AttemptTimeout: time.Minute})
				var last context.Context
				n := 0
				run := p.Start(t.Context())
				for ctx := range run.Attempts() {
					n++
					last = ctx
					if c.leave(run, n) {
						break
					}
				}
				if err := run.Err(); err != c.err { //nolint:errorlint // as it is
					t.Errorf("got %v, want %v", err, c.err)
				}
				if n != c.attempts || last.Err() == nil {
					t.Errorf("%d attempts; the last one's context: %v", n, last.Err())
				}
				want := retry.Stats{Name: "default", Abandoned: 1, Retries: int64(n - 1)}
				s := p.Stats()
				if s.TypicalAttempt = 0; s != want {
					t.Errorf("stats are %+v, want %+v", s, want)
				}
			})
		})
	}
}

func TestLeavingAfterASuccessIsASuccess(t *testing.T) {
	p := newPolicy(t, retry.Options{})
	run := p.Start(t.Context())
	for range run.Attempts() {
		run.Done(nil)
		break
	}
	if s := p.Stats(); run.Err() != nil || s.FirstTry != 1 || s.Abandoned != 0 {
		t.Errorf("%v, stats are %+v", run.Err(), s)
	}
}

func TestOnlyTheFirstDoneOfAnIterationCounts(t *testing.T) {
	p := newPolicy(t, retry.Options{Backoff: instant})
	run := p.Start(t.Context())
	run.Done(nil)                                    // no attempt is under way
	if err := run.Err(); err != retry.ErrAbandoned { //nolint:errorlint // as it is
		t.Errorf("before the loop: %v", err)
	}
	n := 0
	for range run.Attempts() {
		if n++; n == 2 {
			run.Done(nil)
		}
		run.Done(errDown)
	}
	run.Done(errDown)
	for range run.Attempts() {
		t.Error("a run was looped over twice")
	}
	if s := p.Stats(); run.Err() != nil || n != 2 || s.Recovered != 1 || s.Exhausted != 0 {
		t.Errorf("%v after %d attempts, stats are %+v", run.Err(), n, s)
	}
}

func TestARunThatIsNotEnteredCountsNothing(t *testing.T) {
	p := newPolicy(t, retry.Options{})
	if err := p.Start(t.Context()).Err(); err != retry.ErrAbandoned { //nolint:errorlint // as it is
		t.Errorf("got %v", err)
	}
	if s := p.Stats(); s != (retry.Stats{Name: "default"}) {
		t.Errorf("stats are %+v", s)
	}
}

// A loop's body that panics or ends its goroutine, at a first attempt and at a later one.
func TestALoopThatEndsAbnormallyLeavesNothingBehind(t *testing.T) {
	for name, end := range map[string]func(){"panic": workThatPanics, "Goexit": runtime.Goexit} {
		for _, at := range []int{1, 2} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					recorded := &spans{}
					p := newPolicy(t, retry.Options{AttemptTimeout: time.Minute, Backoff: instant, TracerProvider: recorded})
					var attempt context.Context
					run := p.Start(t.Context())
					done, left := make(chan struct{}), true
					go func() {
						defer close(done)
						defer func() { _ = recover() }()
						for ctx := range run.Attempts() {
							attempt = ctx
							if at == 1 || retry.Attempt(ctx) == at {
								end()
							}
							run.Done(errDown)
						}
						left = false
					}()
					<-done
					if !left || attempt.Err() == nil || len(recorded.all) != at-1 || at > 1 && !recorded.all[0].ended {
						t.Errorf("left: %v; the context: %v; spans: %+v", left, attempt.Err(), recorded.all)
					}
					run.Done(nil)
					if err := run.Err(); !errors.Is(err, retry.ErrAbandoned) {
						t.Errorf("Err gives %v", err)
					}
					if err := p.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
						t.Errorf("the next call: %v", err)
					}
				})
			})
		}
	}
}
