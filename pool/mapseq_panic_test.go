package pool_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/joist-go/joist/pool"
)

// leave ranges over a MapSeq of two items, of which the second panics once the loop is in its body for the first, and
// leaves the loop there.
func leave(t *testing.T, p *pool.Pool, how func()) (raised any) {
	runs := make(chan struct{})
	seq := pool.MapSeq(t.Context(), p, slices.Values([]int{0, 1}), func(ctx context.Context, i int) (int, error) {
		if i == 0 {
			<-runs // else its result may be handed out before there is a second item
			return i, nil
		}
		close(runs)
		<-ctx.Done()
		panic("boom")
	})
	defer func() { raised = recover() }()
	for range seq {
		if how != nil {
			how()
		}
		break
	}
	return nil
}

func TestAPanicOfAnItemIsRaisedInTheRangeOfMapSeqAlsoAfterABreak(t *testing.T) {
	p := open(t, pool.Options{Workers: 2})
	err, _ := leave(t, p, nil).(error)
	if pe, ok := errors.AsType[*pool.PanicError](err); !ok || pe.Value != "boom" {
		t.Errorf("raised %v", err)
	}
}

func TestAPanicOfAnItemOfAMapSeqWhoseLoopPanicsIsToldToOnPanic(t *testing.T) {
	told := make(chan any, 1)
	p := open(t, pool.Options{Workers: 2, OnPanic: func(v any, _ []byte) { told <- v }})
	if raised := leave(t, p, func() { panic("loop") }); raised != "loop" {
		t.Errorf("raised %v", raised)
	}
	if v := <-told; v != "boom" {
		t.Errorf("told %v", v)
	}
}
