package breaker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/breaker"
)

var errDown = errors.New("down")

// fail, succeed and the like are one call each.
func fail(b *breaker.Breaker) error {
	return b.Do(context.Background(), func(context.Context) error { return errDown })
}

func succeed(b *breaker.Breaker) error {
	return b.Do(context.Background(), func(context.Context) error { return nil })
}

func TestABreakerOpensRefusesProbesAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must(breaker.New(breaker.Options{MinCalls: 4, Probes: 2, OpenFor: 5 * time.Second, MaxOpenFor: 5 * time.Second}))
		for range 2 {
			wantErr(t, succeed(b), nil)
			wantErr(t, fail(b), errDown)
		}
		wantState(t, b, breaker.Open)
		wantErr(t, succeed(b), breaker.ErrOpen)
		time.Sleep(5*time.Second - 1)
		wantErr(t, succeed(b), breaker.ErrOpen)
		time.Sleep(1)
		wantState(t, b, breaker.HalfOpen)
		wantErr(t, succeed(b), nil)
		wantState(t, b, breaker.HalfOpen)
		wantErr(t, succeed(b), nil)
		wantState(t, b, breaker.Closed)
	})
}
