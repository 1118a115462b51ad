package bulkhead

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
)

// due is the count of accepted calls at which it is relieved.
const due = carryWorth + carryWorth/2

// nearCarry returns a bulkhead that has accepted so many calls that left more make its count due.
func nearCarry(t *testing.T, left uint64) *Bulkhead {
	t.Helper()
	b, err := New(Options{Limit: Fixed(4)})
	if err != nil {
		t.Fatal(err)
	}
	b.slots.word.Store((due - left) << acceptedBits)
	return b
}

func TestTheCountOfAcceptedCallsOutgrowsItsBits(t *testing.T) {
	const left, calls = 5, 100
	b := nearCarry(t, left)
	for i := range int64(calls) {
		if err := b.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if got, want := b.Stats().Accepted, due-left+i+1; got != want {
			t.Fatalf("accepted %d, want %d", got, want)
		}
	}
	if b.slots.carried.Load() != carryWorth || b.slots.word.Load()&carryBit != 0 {
		t.Errorf("carried %d, word %x", b.slots.carried.Load(), b.slots.word.Load())
	}
	if got := b.slots.inflight(); got != 0 {
		t.Errorf("%d in flight", got)
	}
}

func TestACarryIsMadeOnceHoweverManyCallsSeeIt(t *testing.T) {
	const left, callers, calls = 50, 4, 500
	b := nearCarry(t, left)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				if err := b.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got, want := b.Stats().Accepted, int64(due-left+callers*calls); got != want {
		t.Errorf("accepted %d, want %d", got, want)
	}
}

func TestTotalsAreReadByTheWordsOfTheCounter(t *testing.T) {
	b, err := New(Options{Limit: Fixed(1)})
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = b.Do(ended, nil)
	_ = b.Do(t.Context(), func(ctx context.Context) error {
		for range 2 {
			_ = b.Do(ctx, nil)
		}
		return nil
	})
	for word, want := range map[int]int64{wordAccepted: 1, wordRejected: 2, wordTimeout: 0, wordShed: 0, wordCancelled: 1} {
		if got := b.slots.Total(word); got != want {
			t.Errorf("word %d: %d, want %d", word, got, want)
		}
	}
	if requests.Words() != 5 {
		t.Errorf("the counter has %d series", requests.Words())
	}
}

// Calls that look at the same moment all see room, and not all of them have it.
func TestTheLimitHoldsWhenManyEnterAtTheSameMoment(t *testing.T) {
	const callers, calls = 8, 30_000
	b, err := New(Options{Limit: Fixed(1)})
	if err != nil {
		t.Fatal(err)
	}
	var (
		inside atomic.Int64
		wg     sync.WaitGroup
	)
	for range callers {
		wg.Go(func() {
			for range calls {
				_ = b.Do(t.Context(), func(context.Context) error {
					if n := inside.Add(1); n > 1 {
						t.Errorf("%d calls in flight", n)
					}
					inside.Add(-1)
					return nil
				})
			}
		})
	}
	wg.Wait()
	if got := b.Stats(); got.Accepted+got.Rejected != callers*calls || got.InFlight != 0 {
		t.Errorf("%+v", got)
	}
}
