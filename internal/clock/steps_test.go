package clock_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/internal/clock"
)

func TestATurnEmptiesTheBucketsOfTheStepsThatItEnters(t *testing.T) {
	for _, tt := range []struct {
		now  int64
		want int64 // the current step afterwards
		into int   // how many buckets are emptied
	}{
		{9, 0, 0}, {0, 0, 0}, {10, 1, 1}, {39, 3, 3}, {40, 4, 4}, {1_000_007, 100_000, 4}, {-1, 0, 0},
	} {
		var s clock.Steps
		s.Init(10, 4, 0)
		var emptied []int
		got := s.Turn(tt.now, func(bucket int) { emptied = append(emptied, bucket) })
		if got != tt.want || len(emptied) != tt.into {
			t.Errorf("at %d: step %d, emptied %v; want step %d, %d emptied", tt.now, got, emptied, tt.want, tt.into)
		}
		if n := len(emptied); n > 0 && emptied[n-1] != s.Bucket(got) {
			t.Errorf("at %d: the last bucket emptied is %d, want that of the new step, %d", tt.now, emptied[n-1], s.Bucket(got))
		}
		slices.Sort(emptied)
		if len(slices.Compact(emptied)) != tt.into {
			t.Errorf("at %d: a bucket was emptied twice", tt.now)
		}
	}
}

// A ring of counts is, at any reading, the counts of the last so many steps: also before the origin, where readings are
// negative in a bubble, and after a pause longer than the ring.
func TestARingHoldsTheLastStepsWhateverTheReadings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const span = 10
		buckets := rapid.IntRange(1, 6).Draw(t, "buckets")
		now := rapid.Int64Range(-1000, 1000).Draw(t, "origin")
		var s clock.Steps
		s.Init(span, buckets, now)
		ring, seen := make([]int, buckets), map[int64]int{}
		for range 30 {
			now += rapid.Int64Range(0, 25).Draw(t, "later")
			step, ok := s.Current(now)
			if !ok {
				step = s.Turn(now, func(bucket int) { ring[bucket] = 0 })
			}
			if now < step*span || now >= s.End(step) {
				t.Fatalf("%d is not in step %d", now, step)
			}
			ring[s.Bucket(step)]++
			seen[step]++
			want, got := 0, 0
			for back := range int64(buckets) {
				want += seen[step-back]
			}
			for _, n := range ring {
				got += n
			}
			if got != want {
				t.Fatalf("at %d the ring holds %d, want %d", now, got, want)
			}
		}
	})
}

// Each goroutine goes on only when the step that it asked for is there, so that no turn has more than one step to make.
func TestOneOfManyTurns(t *testing.T) {
	var s clock.Steps
	s.Init(10, 4, 0)
	emptied := 0 // guarded by what is tested: whoever turns is alone
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for step := int64(1); step <= 100; step++ {
				for s.Turn(step*10, func(int) { emptied++ }) < step {
					runtime.Gosched() // somebody else turns
				}
			}
		})
	}
	wg.Wait()
	if step, ok := s.Current(1000); !ok || emptied != 100 {
		t.Errorf("step %d, %d emptied; want step 100 and 100 emptied", step, emptied)
	}
}
