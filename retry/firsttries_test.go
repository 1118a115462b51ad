package retry_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/attempt"
	"github.com/joist-go/joist/retry"
)

func TestACallThatIsItselfARetryIsMadeOnceWithFirstTriesOnly(t *testing.T) {
	for name, call := range ways {
		t.Run(name, func(t *testing.T) {
			p := newPolicy(t, retry.Options{FirstTriesOnly: true, Backoff: instant, Budget: retry.NoBudget})
			for number, want := range map[int]int{0: 3, 1: 3, 2: 1, 7: 1} {
				work, calls := failing(9, errDown)
				err := call(attempt.With(t.Context(), number), p, work)
				if *calls != want {
					t.Errorf("within attempt %d it was called %d times, want %d", number, *calls, want)
				}
				if want == 1 && err != errDown { //nolint:errorlint // as with MaxAttempts 1
					t.Errorf("within attempt %d: got %v, want the error as the work gave it", number, err)
				}
			}
			if s := p.Stats(); s.Exhausted != 4 || s.Retries != 4 {
				t.Errorf("stats are %+v", s)
			}
		})
	}
}

func TestACallThatIsItselfARetryIsRepeatedWithoutFirstTriesOnly(t *testing.T) {
	p := newPolicy(t, retry.Options{Backoff: instant})
	work, calls := failing(9, errDown)
	_ = p.Do(attempt.With(t.Context(), 2), work)
	if *calls != 3 {
		t.Errorf("called %d times, want 3", *calls)
	}
}

// What is inside of a retry knows, however many policies are in between, also at their first attempts.
func TestTheAttemptIsSeenThroughInnerPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer := newPolicy(t, retry.Options{MaxAttempts: 2, Backoff: instant})
		inner := newPolicy(t, retry.Options{MaxAttempts: 2, Backoff: instant, AttemptTimeout: time.Second})
		var seen []int
		_ = outer.Do(t.Context(), func(ctx context.Context) error {
			return inner.Do(ctx, func(ctx context.Context) error {
				seen = append(seen, retry.Attempt(ctx))
				return errDown
			})
		})
		if len(seen) != 4 || seen[0] != 1 || seen[1] != 2 || seen[2] < 2 || seen[3] < 2 {
			t.Errorf("the work saw attempts %v: only the first of four is a first", seen)
		}
	})
}

// Four policies with three attempts each around work that fails: the innermost retries its two, and then each of the others
// makes its two, which go through to the work untouched.
func TestNestedPoliciesAddUpAndDoNotMultiply(t *testing.T) {
	for firstTriesOnly, want := range map[bool]int{false: 81, true: 9} {
		call, calls := failing(1000, errDown)
		for range 4 {
			p := newPolicy(t, retry.Options{Backoff: instant, Budget: retry.NoBudget, FirstTriesOnly: firstTriesOnly})
			inside := call
			call = func(ctx context.Context) error { return p.Do(ctx, inside) }
		}
		_ = call(t.Context())
		if *calls != want {
			t.Errorf("FirstTriesOnly %v: the work was called %d times, want %d", firstTriesOnly, *calls, want)
		}
	}
}
