package refusal_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/joist-go/joist/internal/refusal"
)

type refusing struct {
	refused bool
	after   time.Duration
	inner   error
}

func (r *refusing) Error() string             { return "refusing" }
func (r *refusing) Refused() bool             { return r.refused }
func (r *refusing) RetryAfter() time.Duration { return r.after }
func (r *refusing) Unwrap() error             { return r.inner }

func TestARefusalIsFoundThroughWrapping(t *testing.T) {
	err := fmt.Errorf("call: %w", errors.Join(errors.New("other"), &refusing{refused: true, after: time.Second}))
	if !refusal.Refused(err) {
		t.Error("Refused = false, want true")
	}
	if d, ok := refusal.RetryAfter(err); !ok || d != time.Second {
		t.Errorf("RetryAfter = %v, %v", d, ok)
	}
}

func TestTheOutermostErrorDecides(t *testing.T) {
	err := &refusing{refused: false, after: 0, inner: &refusing{refused: true, after: time.Second}}
	if refusal.Refused(err) {
		t.Error("Refused = true though the outer error says the call was made")
	}
	if d, ok := refusal.RetryAfter(err); ok || d != 0 {
		t.Errorf("RetryAfter = %v, %v, want no hint", d, ok)
	}
}

func TestOtherErrorsAreNoRefusals(t *testing.T) {
	for _, err := range []error{nil, errors.New("x")} {
		if refusal.Refused(err) {
			t.Errorf("Refused(%v) = true", err)
		}
		if _, ok := refusal.RetryAfter(err); ok {
			t.Errorf("RetryAfter(%v) has a hint", err)
		}
	}
}

func TestANegativeHintIsNone(t *testing.T) {
	if d, ok := refusal.RetryAfter(&refusing{after: -time.Second}); ok || d != 0 {
		t.Errorf("RetryAfter = %v, %v", d, ok)
	}
}
