package retry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/joist-go/joist/retry"
)

func TestAPanicThroughTwoHedgesKeepsItsFirstStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, retry.Options{})
		defer func() {
			e, ok := recover().(*retry.PanicError)
			if !ok || e.Value != "boom" || strings.Count(e.Error(), "boom") != 1 || !strings.Contains(string(e.Stack), "workThatPanics") {
				t.Errorf("recovered %v", e)
			}
		}()
		_, _ = retry.Hedge(t.Context(), p, func(ctx context.Context) (int, error) {
			return retry.Hedge(ctx, p, func(context.Context) (int, error) { workThatPanics(); return 0, nil })
		})
	})
}

// Whoever recovers a panic may make an error of it. What was thrown must not pass for what the dependency said.
func TestAPanicIsNoRefusalAndHasNoHintWhateverWasThrown(t *testing.T) {
	thrown := retry.After(refusedError{0}, 1)
	e := &retry.PanicError{Value: thrown}
	if !errors.Is(e, thrown) || e.Refused() || e.RetryAfter() != 0 {
		t.Errorf("%v: refused %v, hint %v", e, e.Refused(), e.RetryAfter())
	}
	if (&retry.PanicError{Value: "text"}).Unwrap() != nil {
		t.Error("a text is no error")
	}
}
