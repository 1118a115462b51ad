package balance_test

import (
	"context"
	"testing"
	"time"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/pool/balance"
)

// What is in flight counts for MaxLoad, not what has ever been.
func TestMaxLoadForgetsCallsThatHaveEnded(t *testing.T) {
	const n, callers = 4, 8
	r := newRendezvous(t, balance.RendezvousOptions[string]{Endpoints: names(n)})
	for range 1000 {
		if err := r.Do(t.Context(), "key", work); err != nil {
			t.Fatal(err)
		}
	}
	counts := map[string]int{}
	picks := make([]balance.Pick[string], callers)
	for i := range picks {
		picks[i], _ = r.Pick(t.Context(), "key")
		counts[picks[i].Endpoint]++
	}
	if got := most(counts); got > 3 { // 1.25 × 8 / 4, rounded up
		t.Errorf("%d of %d calls are at one of %d endpoints", got, callers, n)
	}
}

// busy is a refusal of a block inside.
type busy struct{}

func (busy) Error() string             { return "busy" }
func (busy) Refused() bool             { return true }
func (busy) RetryAfter() time.Duration { return time.Minute }

func TestAHintIsKeptWhereTheOtherEndpointsAreEjected(t *testing.T) {
	bubble(t, 2, balance.Options[string]{}, func(t *testing.T, b *balance.Balancer[string]) {
		refuse := func(context.Context, string) error { return busy{} }
		err := b.Do(t.Context(), refuse)
		if hint, ok := refusal.RetryAfter(err); ok || !refusal.Refused(err) {
			t.Errorf("with another endpoint: %v, %v", err, hint)
		}
		send(t, b, "a", 5, errDown)
		wantState(t, b, "a", balance.Ejected)
		if hint, _ := refusal.RetryAfter(b.Do(t.Context(), refuse)); hint != time.Minute {
			t.Errorf("without: hint %v, want 1m", hint)
		}
	})
}
