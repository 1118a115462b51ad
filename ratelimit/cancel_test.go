package ratelimit

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// use is some tokens and the moments at which they may be used: by each limit alone, which is not before it told them.
type use struct {
	n  int64
	at []int64
	r  *Reservation // nil for a take
}

// uses draws a history of reservations, takes and cancels, and returns what was used in the end: all that was not
// cancelled. Reservations are cancelled in any order, before and after their time, with takes between them.
func uses(t *rapid.T, s *state, clock *int64) (kept []*use) {
	most := s.plan.buckets[0].burst
	for range rapid.IntRange(1, 25).Draw(t, "steps") {
		*clock += int64(rapid.SampledFrom([]int{0, 0, 0, 1, 30, 100, 250, 700}).Draw(t, "sleep"))
		n := rapid.Int64Range(1, most).Draw(t, "n")
		u := &use{n: n}
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0, 1:
			u.r = &Reservation{state: s, n: n}
			if !reserved(u.r, *clock) {
				t.Fatalf("%d of %d were not reserved", n, most)
			}
			for i := range s.plan.buckets {
				b, full := &s.plan.buckets[i], u.r.marks[i].full
				u.at = append(u.at, max(*clock, int64(b.reached(full-min(full, b.size)))))
			}
		case 2:
			if v, _ := s.do(take, *clock, n, nil); !v.ok {
				continue
			}
			for range s.plan.buckets {
				u.at = append(u.at, *clock)
			}
		default:
			if len(kept) == 0 {
				continue
			}
			i := rapid.IntRange(0, len(kept)-1).Draw(t, "which")
			if r := kept[i].r; r != nil {
				s.do(cancel, *clock, r.n, r.marks[:])
				kept = slices.Delete(kept, i, i+1)
			}
			continue
		}
		kept = append(kept, u)
	}
	return kept
}

func wordsOf(s *state) []uint64 {
	words, _ := s.read(new([MaxLimits]uint64))
	return words
}

// excess describes a stretch of time in which more was used than burst + rate·t of limit i, and is empty if there is none.
func excess(b *bucket, kept []*use, i int) string {
	slices.SortStableFunc(kept, func(a, b *use) int { return int(a.at[i] - b.at[i]) })
	for from := range kept {
		sum := int64(0)
		for _, u := range kept[from:] {
			sum += u.n
			t := u.at[i] - kept[from].at[i]
			if b.num > 1 {
				t++ // moments are rounded up to the nanosecond
			}
			if uint64(sum)*b.cost > b.size+uint64(t)*b.num {
				return fmt.Sprintf("%v: %d are used within %d ns", b.limit, sum, t)
			}
		}
	}
	return ""
}

// Whatever is reserved, taken and cancelled, and whenever: what is used in the end keeps to each limit in any stretch of
// time, counted by the moments at which that limit lets it be used. So nothing is created.
func TestReservationsThatAreCancelledWheneverCreateNothing(t *testing.T) {
	for name, limits := range map[string][]Limit{
		"one":    {Every(100).WithBurst(5)},
		"short":  {Every(100).WithBurst(2)},
		"thirds": {{Tokens: 3, Per: 100, Burst: 4}},
		"three":  {Every(100).WithBurst(5), Every(30).WithBurst(7).Named("b"), Every(170).WithBurst(20).Named("c")},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s := newState(testPlan(limits...), nil)
				var clock int64
				kept := uses(t, s, &clock)
				for i := range limits {
					if fault := excess(&s.plan.buckets[i], kept, i); fault != "" {
						t.Fatal(fault)
					}
				}
			})
		})
	}
}

// The last of all reservations is given back whole, and so are several from the last to the first, whatever came before
// them: nothing is lost.
func TestReservationsThatAreCancelledFromTheLastToTheFirstLeaveNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := []Limit{Every(100).WithBurst(5), Every(30).WithBurst(7).Named("b")}
		s := newState(testPlan(limits[:rapid.IntRange(1, 2).Draw(t, "limits")]...), nil)
		var clock int64
		uses(t, s, &clock)
		var before [][]uint64
		var all []*Reservation
		for range rapid.IntRange(1, 10).Draw(t, "reservations") {
			r := &Reservation{state: s, n: rapid.Int64Range(1, 5).Draw(t, "n")}
			before, all = append(before, wordsOf(s)), append(all, r)
			if !reserved(r, clock) {
				t.Fatal("not reserved")
			}
			clock += rapid.Int64Range(0, 100).Draw(t, "sleep")
		}
		for i, r := range slices.Backward(all) {
			s.do(cancel, clock, r.n, r.marks[:])
			for j, full := range wordsOf(s) {
				if now := uint64(clock); max(full, now) != max(before[i][j], now) {
					t.Fatalf("limit %d is full at %d, and was at %d before the reservation; it is %d now", j, full, before[i][j], now)
				}
			}
		}
	})
}

func reserved(r *Reservation, now int64) bool {
	v, live := r.take(now)
	return live && v.ok
}

// A bucket of 5 tokens, of which one comes every 100 ns, is left with what it would be without the reservation, or with
// less if others were told to wait for it.
func TestWhatACancelledReservationLeaves(t *testing.T) {
	type step struct {
		ns   int64
		what op
		n    int64 // which reservation, of a cancel
	}
	for name, tt := range map[string]struct {
		steps []step
		left  int64
	}{
		"nothing was taken since":                      {[]step{{0, take, 2}, {0, reserve, 4}, {0, cancel, 0}}, 3},
		"later ones wait for it":                       {[]step{{0, reserve, 5}, {0, reserve, 2}, {0, cancel, 0}}, 1},
		"its time is over, and one was taken just now": {[]step{{0, reserve, 5}, {400, take, 1}, {400, cancel, 0}}, 4},
		"one before it gave back what hides a take": {
			[]step{{0, reserve, 5}, {0, reserve, 2}, {0, cancel, 0}, {400, take, 3}, {400, cancel, 1}}, 2,
		},
		"a refund hides a take": {
			[]step{{0, take, 3}, {0, reserve, 5}, {0, refund, 3}, {0, reserve, 2}, {0, cancel, 0}}, 1,
		},
		"the last, and then the first": {[]step{{0, reserve, 5}, {0, reserve, 2}, {0, cancel, 1}, {0, cancel, 0}}, 5},
		"the first, and then the last": {[]step{{0, reserve, 5}, {0, reserve, 2}, {0, cancel, 0}, {0, cancel, 1}}, 3},
	} {
		for _, more := range [][]Limit{nil, {Every(100).WithBurst(50).Named("b")}} {
			s := newState(testPlan(append([]Limit{Every(100).WithBurst(5)}, more...)...), nil)
			var all []*Reservation
			var last int64
			for _, step := range tt.steps {
				last = step.ns
				switch step.what {
				case reserve:
					r := &Reservation{state: s, n: step.n}
					all = append(all, r)
					if !reserved(r, step.ns) {
						t.Fatalf("%s: not reserved", name)
					}
				case cancel:
					r := all[step.n]
					s.do(cancel, step.ns, r.n, r.marks[:])
				default:
					if v, _ := s.do(step.what, step.ns, step.n, nil); !v.ok {
						t.Fatalf("%s: %d were denied", name, step.n)
					}
				}
			}
			if left := s.plan.peek(wordsOf(s), last).Remaining; left != tt.left {
				t.Errorf("%s: %d remain of %d limits, want %d", name, left, 1+len(more), tt.left)
			}
		}
	}
}
