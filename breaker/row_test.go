package breaker_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/joist-go/joist/breaker"
)

func exit(context.Context) error { runtime.Goexit(); return nil }

func TestARowOfFailuresOpensWhateverMinCallsSays(t *testing.T) {
	inEachWindow(t, func(t *testing.T, w breaker.Window) {
		b := must(breaker.New(breaker.Options{Window: w, MinCalls: 20, ConsecutiveFailures: 3}))
		wantErr(t, succeed(b), nil)
		for range 3 {
			wantState(t, b, breaker.Closed)
			wantErr(t, fail(b), errDown)
		}
		wantState(t, b, breaker.Open)
		err := succeed(b)
		wantErr(t, err, breaker.ErrOpen)
		if open := err.(*breaker.OpenError); open.FailureRatio != 0.75 {
			t.Errorf("%+v", open)
		}
	})
}

func TestASuccessEndsARowAndAnIgnoredCallDoesNot(t *testing.T) {
	inEachWindow(t, func(t *testing.T, w breaker.Window) {
		b := must(breaker.New(breaker.Options{Window: w, ConsecutiveFailures: 2, FailureRatio: 1}))
		for range 3 {
			wantErr(t, fail(b), errDown)
			wantErr(t, succeed(b), nil)
		}
		wantErr(t, fail(b), errDown)
		_ = b.Do(t.Context(), func(context.Context) error { return breaker.Ignore(errDown) })
		wantState(t, b, breaker.Closed)
		wantErr(t, fail(b), errDown)
		wantState(t, b, breaker.Open)
	})
}
