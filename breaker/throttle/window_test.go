package throttle

import (
	"sync"
	"testing"
)

func TestABucketThatIsFullKeepsItsRatioAndLosesNoCount(t *testing.T) {
	const calls = 3 << (countBits - 1) // more than one count holds
	var w tally
	w.init(1000, 0)
	for i := range calls {
		w.add(0, acceptedUnit)
		if i%2 == 0 {
			w.add(0, rejectedUnit)
		}
		if i%4 == 0 {
			w.add(0, throttledUnit)
		}
	}
	for word, want := range map[int]int64{wordAccepted: calls, wordRejected: calls / 2, wordThrottled: calls / 4} {
		if got := w.Total(word); got != want {
			t.Errorf("word %d: %d counted, want %d", word, got, want)
		}
	}
	c := w.sum()
	if ratio := float64(c.accepted) / float64(c.rejected); ratio < 1.99 || ratio > 2.01 || c.accepted >= 1<<(countBits-1) {
		t.Errorf("left %+v, want a ratio of 2", c)
	}
}

func TestACountThatIsFullDoesNotRunIntoItsNeighbourUnderLoad(t *testing.T) {
	var w tally
	w.init(1000, 0)
	w.words[w.steps.Bucket(0)].Store((1<<(countBits-1) - 1) * (acceptedUnit + rejectedUnit + throttledUnit)) // one short of full
	w.accepted.Store(-(1<<(countBits-1) - 1))
	w.rejected.Store(-(1<<(countBits-1) - 1))
	w.throttled.Store(-(1<<(countBits-1) - 1))
	const callers, calls = 8, 5000
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				w.add(0, acceptedUnit)
				w.add(0, rejectedUnit)
				w.add(0, throttledUnit)
			}
		})
	}
	wg.Wait()
	for word := range 4 {
		if got := w.Total(word); word != wordIgnored && got != callers*calls {
			t.Errorf("word %d: %d counted, want %d", word, got, callers*calls)
		}
	}
}
