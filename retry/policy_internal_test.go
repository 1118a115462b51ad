package retry

import (
	"context"
	"errors"
	"testing"
)

// Reading the clock costs more than all else that a success needs: while all is well 15 calls in 16 do without, and after a
// failure none does.
func TestAPolicyLooksAtTheClockForEachCallOnlyAfterAFailure(t *testing.T) {
	p, err := New(Options{MaxAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for n := 0; n < 10_000 && p.unwatched.Load() == 0; n++ {
			_ = p.Do(t.Context(), func(context.Context) error { return nil })
		}
		if got := p.unwatched.Load(); got != sampleMask {
			t.Errorf("after successes calls go unwatched by %d, want %d", got, sampleMask)
		}
		_ = p.Do(t.Context(), func(context.Context) error { return errors.New("down") })
		if got := p.unwatched.Load(); got != 0 {
			t.Errorf("after a failure calls go unwatched by %d, want all watched", got)
		}
	}
}
