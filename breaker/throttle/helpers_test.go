package throttle_test

import (
	"context"
	"errors"
	"testing"

	"github.com/joist-go/joist/breaker/throttle"
)

var errBusy = errors.New("busy")

// must returns v, or panics: for constructors in tests.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func accept(context.Context) error { return nil }
func reject(context.Context) error { return errBusy }

// refuseAll draws a number below every probability, refuseNone one above.
func refuseAll() float64  { return 0 }
func refuseNone() float64 { return 1 }

// after returns a throttle that has seen so many calls of each kind, and refuses none of them.
func after(o throttle.Options, accepted, rejected int) *throttle.Throttle {
	t := must(throttle.New(o))
	throttle.Draw(t, refuseNone)
	for range accepted {
		_ = t.Do(context.Background(), accept)
	}
	for range rejected {
		_ = t.Do(context.Background(), reject)
	}
	return t
}

// wantProbability checks what Stats says to the last digit: the formula is all there is.
func wantProbability(t testing.TB, th *throttle.Throttle, want float64) {
	t.Helper()
	if got := th.Stats().Probability; got != want {
		t.Fatalf("the reject probability is %v, want %v: %+v", got, want, th.Stats())
	}
}
