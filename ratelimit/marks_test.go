package ratelimit

import (
	"slices"
	"sync"
	"testing"
)

// What a reservation's mark counts is exact beside lock-free takes, other reservations, and what is given back: the word and
// what was given back until then make all the units that were ever taken. So marks follow each other by the units of a
// reservation, at least, and none is beyond the last.
func TestMarksCountWhatWasTakenBesideTakesAndRefunds(t *testing.T) {
	const goroutines, rounds = 8, 10_000
	for name, limits := range map[string][]Limit{
		"one": {Every(1000)}, "two": {Every(1000), Every(7000).Named("b")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newState(testPlan(limits...), nil)
			const owed = 1 << 20 // so that no bucket is ever full, and each change of a word is by whole tokens
			s.do(charge, 0, owed, nil)
			var all sync.WaitGroup
			var sums [goroutines][]uint64
			for g := range goroutines {
				all.Go(func() {
					for range rounds {
						r := &Reservation{state: s, n: 1}
						if !reserved(r, 0) {
							t.Error("not reserved")
							return
						}
						sums[g] = append(sums[g], r.marks[0].full+r.marks[0].back)
						s.do(refund, 0, 2, nil)
						s.do(charge, 0, 1, nil)
					}
				})
			}
			all.Wait()
			for i, w := range wordsOf(s) {
				if total, want := w+s.back[i], (owed+2*goroutines*rounds)*s.plan.buckets[i].cost; total != want || s.back[i] != 2*goroutines*rounds*s.plan.buckets[i].cost {
					t.Errorf("limit %d counts %d units that were taken, want %d", i, total, want)
				}
			}
			marks := slices.Concat(sums[:]...)
			slices.Sort(marks)
			for i, m := range marks {
				if i > 0 && m < marks[i-1]+1000 {
					t.Fatalf("mark %d counts %d units, and the one before it %d, though a token was taken between them", i, m, marks[i-1])
				}
			}
			if last, most := marks[len(marks)-1], uint64(owed+2*goroutines*rounds)*1000; last > most {
				t.Errorf("a mark counts %d units, and %d were taken", last, most)
			}
		})
	}
}
