package retry_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/retry"
)

// How an attempt ends.
const (
	succeeds = iota
	fails
	failsForGood
	isRefused
	hints
	hintsTooMuch
	leaves      // the caller, during the attempt
	leavesLater // the caller, 5 ms after it
	panics
	exits
	endings
)

// script is what happens to one policy.
type script struct {
	maxAttempts int
	timeout     time.Duration
	calls       []scriptedCall
}

type scriptedCall struct {
	looped  bool
	endings []int // of its attempts, as far as they are made
}

func drawScript(t *rapid.T) script {
	s := script{
		maxAttempts: rapid.IntRange(1, 5).Draw(t, "MaxAttempts"),
		timeout:     rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "AttemptTimeout"),
	}
	for range rapid.IntRange(1, 20).Draw(t, "calls") {
		s.calls = append(s.calls, scriptedCall{
			looped:  rapid.Bool().Draw(t, "looped"),
			endings: rapid.SliceOfN(rapid.IntRange(0, endings-1), s.maxAttempts, s.maxAttempts).Draw(t, "endings"),
		})
	}
	return s
}

// Whatever attempts do, and in whatever order: what the caller is told, what the policy counts and what the budget was
// paid fit the attempts that were made.
func TestWhateverAttemptsDoTheBooksBalance(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawScript(rt)
		synctest.Test(t, func(t *testing.T) { play(t, rt, s) })
	})
}

func play(t *testing.T, rt *rapid.T, script script) {
	const burst = 5
	budget := newBudget(t, retry.BudgetOptions{Burst: burst})
	p := newPolicy(t, retry.Options{
		MaxAttempts:    script.maxAttempts,
		Backoff:        retry.Exponential(time.Millisecond, 10*time.Millisecond),
		AttemptTimeout: script.timeout,
		Budget:         budget,
	})
	var attempts, abnormal int64
	for _, c := range script.calls {
		verb := do
		if c.looped {
			verb = looped
		}
		ctx, leave := context.WithCancel(t.Context())
		var made int
		var last error
		returned, err := settled(func() error {
			return verb(ctx, p, func(ctx context.Context) error {
				made++
				if got := retry.Attempt(ctx); got != made {
					rt.Errorf("attempt %d is told that it is %d", made, got)
				}
				last = act(c.endings[made-1], leave)
				return last
			})
		})
		leave()
		attempts += int64(made)
		if returned {
			checkEnd(rt, err, last, made)
		} else {
			abnormal++
		}
	}
	calls := int64(len(script.calls))
	s, b := p.Stats(), budget.Stats()
	if s.Retries != attempts-calls || b.Spent != s.Retries || b.Calls != calls {
		rt.Errorf("%d attempts of %d calls, but %+v and %+v", attempts, calls, s, b)
	}
	if float64(b.Spent) > burst+0.1*float64(calls) {
		rt.Errorf("%d retries of %d calls", b.Spent, calls)
	}
	ended := s.FirstTry + s.Recovered + s.Exhausted + s.Permanent + s.Budget + s.Deadline + s.Cancelled
	if ended != calls-abnormal || s.Abandoned != 0 {
		rt.Errorf("%d of %d calls returned, but %+v", calls-abnormal, calls, s)
	}
}

// act ends an attempt.
func act(ending int, leave func()) error {
	switch ending {
	case succeeds:
		return nil
	case failsForGood:
		return retry.Permanent(errDown)
	case isRefused:
		return refusal{}
	case hints:
		return retry.After(errDown, 8*time.Millisecond)
	case hintsTooMuch:
		return retry.After(errDown, time.Hour)
	case leaves:
		leave()
	case leavesLater:
		time.AfterFunc(5*time.Millisecond, leave)
		return retry.After(errDown, 10*time.Millisecond)
	case panics:
		panic("boom")
	case exits:
		runtime.Goexit()
	}
	return errDown
}

// settled calls f on a goroutine of its own and tells whether it returned.
func settled(f func() error) (returned bool, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		err = f()
		returned = true
	}()
	<-done
	return returned, err
}

// checkEnd checks what a call returned whose last attempt, the made-th, gave last.
func checkEnd(rt *rapid.T, err, last error, made int) {
	if (err == nil) != (last == nil) || !errors.Is(err, last) {
		rt.Errorf("got %v, the last attempt gave %v", err, last)
	}
	e, ok := errors.AsType[*retry.Error](err)
	if !ok {
		if err != last || err != nil && made > 1 { //nolint:errorlint // as it is
			rt.Errorf("after %d attempts got %v as it is", made, err)
		}
		return
	}
	if e.Attempts != made || e.Last != last || len(e.History) != made || e.History[made-1] != last { //nolint:errorlint // the very one
		rt.Errorf("after %d attempts, the last with %v: %#v", made, last, e)
	}
}
