package bulkhead

import (
	"math"
	"testing"
	"time"
)

// An hour of work on one slot, and a million calls before.
func TestAWaitThatIsLongerThanADurationHoldsIsTheLongest(t *testing.T) {
	b, err := New(Options{Limit: Fixed(1), MaxQueue: MaxQueue})
	if err != nil {
		t.Fatal(err)
	}
	b.slots.typical.Add(10 * time.Hour)
	if got := b.slots.estimate(MaxQueue); got < math.MaxInt64/4 {
		t.Errorf("the estimate is %v", got)
	}
	b.slots.queue.length.Store(MaxQueue)
	if full, ok := b.refuse(t.Context(), ReasonFull).(*FullError); !ok || full.RetryAfter() <= 0 { //nolint:errorlint // as it is
		t.Errorf("%v", full)
	}
}

// A cut forgets the calls that brought it about: those that began before it count for no further window.
func TestCallsThatBeganBeforeACutAreNotCounted(t *testing.T) {
	b, err := New(Options{Limit: AIMD{Initial: 100}})
	if err != nil {
		t.Fatal(err)
	}
	a, at := b.slots.adapt, int64(time.Second)
	for range fewCalls {
		a.record(b.slots, call{began: at - 1, ended: at, inflight: 100, dropped: true})
	}
	if got := b.Stats().Limit; got != 90 {
		t.Fatalf("after the first cut the limit is %d", got)
	}
	for range 5 * fewCalls { // all began beside those
		a.record(b.slots, call{began: at - 1, ended: at + int64(time.Second), inflight: 100, dropped: true})
	}
	if got := b.Stats().Limit; got != 90 {
		t.Errorf("calls from before the cut have cut again, to %d", got)
	}
	for range fewCalls {
		a.record(b.slots, call{began: at, ended: at + int64(time.Second), inflight: 90, dropped: true})
	}
	if got := b.Stats().Limit; got != 81 {
		t.Errorf("calls from after the cut: the limit is %d, want 81", got)
	}
}
