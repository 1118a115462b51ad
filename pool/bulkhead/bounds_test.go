package bulkhead

import (
	"context"
	"math"
	"sync"
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

// A window that is shorter than the calls would judge a limit by those of the one before.
func TestAWindowLastsForTwoTypicalCallsAtLeast(t *testing.T) {
	b, err := New(Options{Limit: AIMD{Initial: 100}})
	if err != nil {
		t.Fatal(err)
	}
	b.slots.typical.Add(time.Second)
	for range fewCalls {
		b.slots.adapt.record(b.slots, call{ended: int64(2*time.Second) - 1, inflight: 100, dropped: true})
	}
	if got := b.Stats().Limit; got != 100 {
		t.Errorf("a nanosecond before: the limit is %d", got)
	}
	b.slots.adapt.record(b.slots, call{ended: int64(2 * time.Second), inflight: 100, dropped: true})
	if got := b.Stats().Limit; got != 90 {
		t.Errorf("after two typical calls: the limit is %d, want 90", got)
	}
}

// meeting is a context that ends, and whose caller is given a slot, when it begins to wait: both are there at once.
type meeting struct {
	context.Context

	begin func()
}

func (m meeting) Done() <-chan struct{} {
	m.begin()
	return m.Context.Done()
}

func TestASlotThatMeetsTheEndOfItsCallersContextIsNotLost(t *testing.T) {
	b, err := New(Options{Limit: Fixed(1), MaxQueue: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 { // which of the two is seen is by chance
		began, ok := b.slots.enter()
		if !ok {
			t.Fatalf("no slot is free: %+v", b.Stats())
		}
		ctx, cancel := context.WithCancel(t.Context())
		both := sync.OnceFunc(func() {
			b.slots.leave(began)
			cancel()
		})
		err := b.Do(meeting{ctx, both}, func(context.Context) error { return nil })
		if err != nil && err != context.Canceled {
			t.Fatal(err)
		}
	}
	if got := b.Stats(); got.InFlight != 0 || got.Queued != 0 {
		t.Errorf("%+v", got)
	}
}
