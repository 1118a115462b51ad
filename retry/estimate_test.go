package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/retry"
)

// refusal is a refusal of a block inside: the call was never made.
type refusal struct{}

func (refusal) Error() string { return "refused" }
func (refusal) Refused() bool { return true }

// What ended before its time says nothing about how long an attempt takes: without this, an open breaker that refuses
// within a microsecond would have attempts begun that cannot be over in time, as soon as it lets them through.
func TestWhatWasNotMadeOrCutShortIsNoTypicalAttempt(t *testing.T) {
	for name, work := range map[string]func(ctx context.Context, leave func()) error{
		"refused":   func(context.Context, func()) error { return errors.Join(errDown, refusal{}) },
		"cancelled": func(ctx context.Context, leave func()) error { leave(); return context.Cause(ctx) },
	} {
		for verb, call := range map[string]func(context.Context, *retry.Policy, func(context.Context) error) error{"Do": do, "Hedge": hedge, "Run": looped} {
			t.Run(name+"/"+verb, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPolicy(t, retry.Options{Backoff: instant, Budget: retry.NoBudget})
					for range 2 {
						_ = call(t.Context(), p, func(context.Context) error { time.Sleep(100 * time.Millisecond); return errDown })
					}
					if got := p.Stats().TypicalAttempt; got != 100*time.Millisecond {
						t.Fatalf("a typical attempt takes %v, want 100ms", got)
					}
					for range 20 {
						ctx, leave := context.WithCancel(t.Context())
						_ = call(ctx, p, func(ctx context.Context) error { return work(ctx, leave) })
						leave()
						synctest.Wait()
					}
					if got := p.Stats().TypicalAttempt; got != 100*time.Millisecond {
						t.Errorf("now a typical attempt takes %v, still want 100ms", got)
					}
				})
			})
		}
	}
}

func TestAnAttemptThatRanIntoADeadlineTookAtLeastThatLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_ = p.Do(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if got := p.Stats().TypicalAttempt; got != 50*time.Millisecond {
			t.Errorf("a typical attempt takes %v, want 50ms", got)
		}
	})
}

// A hedge that was overtaken is cut short, whatever it makes of the end of its ctx.
func TestAnAttemptThatLostTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{HedgeDelay: 10 * time.Millisecond})
		_, err := retry.Hedge(t.Context(), p, func(ctx context.Context) (int, error) {
			if retry.Attempt(ctx) == 1 {
				<-ctx.Done()
				return 0, errDown
			}
			time.Sleep(100 * time.Millisecond)
			return 1, nil
		})
		synctest.Wait()
		if got := p.Stats().TypicalAttempt; err != nil || got != 100*time.Millisecond {
			t.Errorf("got %v; a typical attempt takes %v, want 100ms", err, got)
		}
	})
}

// A reading of the clock costs more than all else that a success needs. So few are timed while all is well.
func TestWhileAttemptsSucceedOneInSixteenIsTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		succeed := func(times int, d time.Duration) {
			for range times {
				if err := p.Do(t.Context(), func(context.Context) error { time.Sleep(d); return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
		succeed(32, time.Second)
		succeed(15, 3*time.Second) // one of them, or two when the stack moves
		if got := p.Stats().TypicalAttempt; got > 2*time.Second {
			t.Errorf("a typical attempt takes %v after 15 that took 3s: they were all timed", got)
		}
	})
}

func TestRetriesThatFailAreTimedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{MaxAttempts: 2, Backoff: instant, Budget: retry.NoBudget})
		for range 50 {
			_ = p.Do(t.Context(), func(ctx context.Context) error {
				if retry.Attempt(ctx) == 2 {
					time.Sleep(time.Second)
				}
				return errDown
			})
		}
		if got := p.Stats().TypicalAttempt; got < 300*time.Millisecond {
			t.Errorf("a typical attempt takes %v, of which each second one takes 1s", got)
		}
	})
}
