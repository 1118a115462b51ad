package batch_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/joist-go/joist/pool/batch"
)

func TestEachKeyGetsItsOwnTruth(t *testing.T) {
	b := newBatcher(t, batch.Options[int, int]{Run: func(context.Context, []int) (map[int]int, error) {
		return map[int]int{1: 10, 99: 990, 98: 980}, fmt.Errorf("wrapped: %w", batch.Errors[int]{2: errRun, 1: nil})
	}})
	found, err := b.GetMany(t.Context(), []int{1, 2, 3})
	failed, ok := errors.AsType[batch.Errors[int]](err)
	if !ok || len(found) != 1 || found[1] != 10 || len(failed) != 2 {
		t.Fatalf("found %v, %v", found, err)
	}
	if !errors.Is(failed[2], errRun) || !errors.Is(failed[3], batch.ErrMissing) || !errors.Is(err, errRun) {
		t.Errorf("failed %v", failed)
	}
	if s := b.Stats(); s.OK != 1 || s.Failed != 1 || s.Missing != 1 || s.Extra != 2 {
		t.Errorf("%+v", s)
	}
}

func TestAnErrorOfTheBatchIsEverybodys(t *testing.T) {
	b := newBatcher(t, batch.Options[int, int]{Run: func(context.Context, []int) (map[int]int, error) {
		return map[int]int{1: 10}, errRun
	}})
	found, err := b.GetMany(t.Context(), []int{1, 2})
	failed, _ := errors.AsType[batch.Errors[int]](err)
	if len(found) != 0 || failed[1] != errRun || failed[2] != errRun {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestAPanicIsEverybodysErrorAndTheNextBatchRuns(t *testing.T) {
	b := newBatcher(t, batch.Options[int, int]{Concurrency: 1, Run: func(ctx context.Context, keys []int) (map[int]int, error) {
		if keys[0] < 0 {
			panic(errRun)
		}
		return double(ctx, keys)
	}})
	_, err := b.GetMany(t.Context(), []int{-1, -2})
	failed, _ := errors.AsType[batch.Errors[int]](err)
	for _, key := range []int{-1, -2} {
		p, ok := errors.AsType[*batch.PanicError](failed[key])
		if !ok || !errors.Is(p, errRun) || p.Refused() || !strings.Contains(string(p.Stack), "TestAPanicIsEverybodys") {
			t.Fatalf("key %d: %v", key, failed[key])
		}
		if text := p.Error(); !strings.HasPrefix(text, "joist/batch: the batch panicked: "+errRun.Error()+"\n\n") ||
			!strings.HasSuffix(text, string(p.Stack)) {
			t.Errorf("key %d: the text has not both value and stack: %s", key, text)
		}
	}
	if v, err := b.Get(t.Context(), 1); v != 2 || err != nil {
		t.Errorf("the next: %d, %v", v, err)
	}
	if s := b.Stats(); s.Panicked != 2 || s.OK != 1 {
		t.Errorf("%+v", s)
	}
}

func TestAGoexitIsAnErrorAndLosesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated()
		b := newBatcher(t, batch.Options[int, int]{Concurrency: 1, MaxSize: 1, Run: func(ctx context.Context, keys []int) (map[int]int, error) {
			found, err := g.run(ctx, keys)
			if keys[0] < 0 {
				runtime.Goexit()
			}
			return found, err
		}})
		exits, queued, also := get(t.Context(), b, -1), get(t.Context(), b, -2), get(t.Context(), b, 1)
		close(g.gate)
		want(t, exits, 0, batch.ErrGoexit)
		want(t, queued, 0, batch.ErrGoexit)
		want(t, also, 2, nil)
		want(t, get(t.Context(), b, 2), 4, nil)
		if s := b.Stats(); s.Running != 0 || s.Pending != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestABatchMayCallItsOwnBatcher(t *testing.T) {
	var b *batch.Batcher[int, int]
	b = newBatcher(t, batch.Options[int, int]{Concurrency: 2, Run: func(ctx context.Context, keys []int) (map[int]int, error) {
		if keys[0] == 1 {
			v, err := b.Get(ctx, 100)
			return map[int]int{1: v}, err
		}
		return double(ctx, keys)
	}})
	if v, err := b.Get(t.Context(), 1); v != 200 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
}
