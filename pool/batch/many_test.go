package batch_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/pool/batch"
)

// A key that stands twice must not be found and failed at once.
func TestGetManyAsksOnceForAKeyThatStandsTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(t, batch.Options[int, int]{Run: double, Linger: true, MaxPending: 2})
		found, err := b.GetMany(t.Context(), []int{1, 1, 2, 1})
		if err != nil || len(found) != 2 || found[1] != 2 || found[2] != 4 {
			t.Errorf("found %v, %v", found, err)
		}
		if s := b.Stats(); s.OK != 2 || s.Rejected != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestGetManyThatRunsOutOfTimeHasWhatThereIsAndLeavesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(t, batch.Options[int, int]{MaxSize: 1, Run: func(ctx context.Context, keys []int) (map[int]int, error) {
			time.Sleep(time.Duration(keys[0]) * time.Second)
			return double(ctx, keys)
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second/2)
		defer cancel()
		begun := time.Now()
		found, err := b.GetMany(ctx, []int{4, 1, 3, 2})
		failed, _ := errors.AsType[batch.Errors[int]](err)
		if time.Since(begun) != 5*time.Second/2 || len(found) != 2 || found[1] != 2 || found[2] != 4 || len(failed) != 2 ||
			failed[3] != context.DeadlineExceeded || failed[4] != context.DeadlineExceeded {
			t.Errorf("after %v: %v, %v", time.Since(begun), found, err)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if s := b.Stats(); s.OK != 2 || s.Cancelled != 2 || s.Pending != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A call of which a part was made is no refusal: whoever tries it again repeats that part.
func TestErrorsAreARefusalWhenEachOfThemIs(t *testing.T) {
	full := &batch.FullError{Wait: time.Second}
	slow := &batch.FullError{Wait: time.Minute}
	for _, c := range []struct {
		errors  batch.Errors[int]
		refused bool
		after   time.Duration
	}{
		{batch.Errors[int]{1: full, 2: slow}, true, time.Minute},
		{batch.Errors[int]{1: full, 2: nil}, true, time.Second},
		{batch.Errors[int]{1: full, 2: errRun}, false, time.Second},
		{batch.Errors[int]{1: errRun}, false, 0},
		{nil, false, 0},
	} {
		after, _ := refusal.RetryAfter(c.errors)
		if refusal.Refused(c.errors) != c.refused || after != c.after {
			t.Errorf("%v: refused %v, after %v", map[int]error(c.errors), refusal.Refused(c.errors), after)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(t, batch.Options[int, int]{Run: double, Linger: true, MaxPending: 1})
		found, err := b.GetMany(t.Context(), []int{1, 2})
		if len(found) != 1 || !errors.Is(err, batch.ErrFull) || refusal.Refused(err) {
			t.Errorf("found %v, %v, refused %v", found, err, refusal.Refused(err))
		}
	})
}

// Whatever ends a GetMany, its keys are not left in a batch.
func TestAPanicOfSizeOfLeavesNoKeyBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan []int, 9)
		b := newBatcher(t, batch.Options[int, int]{
			Linger: true, MaxBytes: 100,
			SizeOf: func(key int) int {
				if key < 0 {
					panic(errRun)
				}
				return 1
			},
			Run: func(ctx context.Context, keys []int) (map[int]int, error) {
				asked <- keys
				return double(ctx, keys)
			},
		})
		stays := get(t.Context(), b, 7)
		func() {
			defer func() {
				if recover() != errRun { //nolint:errorlint // the very value
					t.Error("the panic does not reach the caller")
				}
			}()
			_, _ = b.GetMany(t.Context(), []int{1, 2, -1, 3})
		}()
		if s := b.Stats(); s.Pending != 1 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)
		want(t, stays, 14, nil)
		if keys := <-asked; !slices.Equal(keys, []int{7}) {
			t.Errorf("asked for %v", keys)
		}
	})
}

// A batch that lingers leaves its callers the time that it typically takes.
func TestACallWhoseAnswerWouldComeTooLateByLingeringMakesTheBatchGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(t, batch.Options[int, int]{Linger: true, MaxWait: time.Second, Run: func(ctx context.Context, keys []int) (map[int]int, error) {
			time.Sleep(time.Second)
			return double(ctx, keys)
		}})
		if _, err := b.Get(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second/2)
		defer cancel()
		if v, err := b.Get(ctx, 2); v != 4 || err != nil {
			t.Errorf("with 1.5 s for a batch of 1 s: %d, %v", v, err)
		}
	})
}

func TestABatchWithoutAFailedKeyIsNoFailureOfItsOwn(t *testing.T) {
	b := newBatcher(t, batch.Options[int, int]{Run: func(ctx context.Context, keys []int) (map[int]int, error) {
		found, _ := double(ctx, keys)
		return found, batch.Errors[int](nil)
	}})
	if v, err := b.Get(t.Context(), 1); v != 2 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
}
