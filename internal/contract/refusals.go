package contract

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (b Block) testRefusal(t *testing.T) {
	if b.Refusing == nil {
		return
	}
	synctest.Test(t, func(t *testing.T) {
		err := b.refused(t, b.refusing(t))
		for what, wrapped := range map[string]error{
			"bare":   err,
			"%w":     fmt.Errorf("users: %w", err),
			"joined": errors.Join(errors.New("other"), fmt.Errorf("users: %w", err)),
		} {
			if !errors.Is(wrapped, b.Refusal) {
				t.Errorf("%s: errors.Is does not find %v in %v", what, b.Refusal, wrapped)
			}
			if r, ok := errors.AsType[Refused](wrapped); !ok || !r.Refused() {
				t.Errorf("%s: not known as a refusal: %v", what, wrapped)
			}
		}
		if r, ok := errors.AsType[Refused](err); ok && !strings.HasPrefix(r.Error(), "joist/") {
			t.Errorf("the refusal does not say where it comes from: %q", r)
		}
	})
}

// A hint is neither too early nor too late: one nanosecond before it the block still refuses, at it no more.
func (b Block) testHint(t *testing.T) {
	if !b.Hints {
		return
	}
	synctest.Test(t, func(t *testing.T) {
		g := b.refusing(t)
		r, _ := errors.AsType[Refused](b.refused(t, g))
		after := r.RetryAfter()
		if after <= 0 {
			t.Fatalf("the refusal has no hint: %v", r)
		}
		time.Sleep(after - 1)
		b.refused(t, g)
		time.Sleep(1)
		if err := g.Do(t.Context(), succeed); err != nil {
			t.Fatalf("refused after the %v it asked for: %v", after, err)
		}
	})
}

func (b Block) refusing(t testing.TB) Guard {
	t.Helper()
	g := b.Refusing(t)
	closeAfter(t, g)
	return g
}

// refused makes a call that must be refused, and never made.
func (b Block) refused(t *testing.T, g Guard) error {
	t.Helper()
	ran := false
	err := g.Do(t.Context(), func(context.Context) error { ran = true; return nil })
	if err == nil || ran {
		t.Fatalf("not refused: error %v, call made: %v", err, ran)
	}
	return err
}
