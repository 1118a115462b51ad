package bulkhead

import (
	"context"
	"sync"
	"testing"
)

// nearCarry returns a bulkhead that has accepted so many calls that left more set the top bit of their count.
func nearCarry(t *testing.T, left uint64) *Bulkhead {
	t.Helper()
	b, err := New(Options{Limit: Fixed(4)})
	if err != nil {
		t.Fatal(err)
	}
	b.slots.word.Store((carryWorth - left) << inflightBits)
	return b
}

func TestTheCountOfAcceptedCallsOutgrowsItsBits(t *testing.T) {
	const left, calls = 5, 100
	b := nearCarry(t, left)
	for i := range int64(calls) {
		if err := b.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if got, want := b.Stats().Accepted, carryWorth-left+i+1; got != want {
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
	if got, want := b.Stats().Accepted, int64(carryWorth-left+callers*calls); got != want {
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
	for word, want := range map[int]int64{wordAccepted: 1, wordRejected: 2, wordCancelled: 1} {
		if got := b.slots.Total(word); got != want {
			t.Errorf("word %d: %d, want %d", word, got, want)
		}
	}
	if requests.Words() != 3 {
		t.Errorf("the counter has %d series", requests.Words())
	}
}
