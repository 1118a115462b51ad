package breaker_test

import (
	"context"
	"errors"
	"testing"

	"github.com/joist-go/joist/breaker"
)

var errDown = errors.New("down")

// must returns v, or panics: for constructors in tests.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// fail makes a call that fails, succeed one that does not.
func fail(b *breaker.Breaker) error {
	return b.Do(context.Background(), func(context.Context) error { return errDown })
}

func succeed(b *breaker.Breaker) error {
	return b.Do(context.Background(), func(context.Context) error { return nil })
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("the call returned %v, want %v", got, want)
	}
}

func wantState(t *testing.T, b *breaker.Breaker, want breaker.State) {
	t.Helper()
	if got := b.State(); got != want {
		t.Fatalf("the breaker is %v, want %v", got, want)
	}
}
