package attempt_test

import (
	"context"
	"testing"

	"github.com/joist-go/joist/internal/attempt"
)

func TestAContextWithoutAMarkIsTheFirstAttempt(t *testing.T) {
	if got := attempt.From(context.Background()); got != 1 {
		t.Fatalf("From = %d, want 1", got)
	}
}

func TestTheInnermostMarkWins(t *testing.T) {
	ctx := attempt.With(attempt.With(context.Background(), 2), 3)
	if got := attempt.From(ctx); got != 3 {
		t.Fatalf("From = %d, want 3", got)
	}
}

func TestAMarkBelowTwoIsTheFirstAttempt(t *testing.T) {
	for _, n := range []int{-1, 0, 1} {
		if got := attempt.From(attempt.With(context.Background(), n)); got != 1 {
			t.Fatalf("From(With(%d)) = %d, want 1", n, got)
		}
	}
}
