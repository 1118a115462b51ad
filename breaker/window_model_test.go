package breaker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/internal/clock"
)

// plainWindow is a window that keeps every outcome since the last reset, and counts them when it is asked.
type plainWindow struct {
	last   int   // calls, or else
	span   int64 // a tenth of the time
	kept   []plainOutcome
	row    int
	totals [outcomes]int64
}

type plainOutcome struct {
	epoch int64
	o     outcome
}

func (w *plainWindow) add(now int64, o outcome) {
	w.kept = append(w.kept, plainOutcome{clock.FloorDiv(now, w.span), o})
	w.totals[o]++
}

func (w *plainWindow) noteRow(o outcome) {
	if w.row++; o&failure == 0 {
		w.row = 0
	}
}

// inside returns what is in the window at now, in the order of its coming.
func (w *plainWindow) inside(now int64) []plainOutcome {
	if w.last > 0 {
		return w.kept[max(len(w.kept)-w.last, 0):]
	}
	epoch := clock.FloorDiv(now, w.span)
	return slices.DeleteFunc(slices.Clone(w.kept), func(p plainOutcome) bool { return p.epoch <= epoch-buckets })
}

func (w *plainWindow) census(now int64) (c census) {
	for _, p := range w.inside(now) {
		c.calls++
		if p.o&failure != 0 {
			c.failed++
		}
		if p.o&slow != 0 {
			c.slow++
		}
	}
	return c
}

// amend makes a failure of the latest outcome of a kind: in its place, or at the end of a window over a time.
func (w *plainWindow) amend(now int64, from outcome) {
	inside := w.inside(now)
	w.totals[from]--
	for i, p := range slices.Backward(inside) {
		if p.o != from {
			continue
		}
		if w.last > 0 {
			inside[i].o |= failure // a part of kept
			w.totals[from|failure]++
			return
		}
		w.kept = slices.Delete(inside, i, i+1)
		break
	}
	w.add(now, from|failure)
}

func TestEachWindowCountsWhatAPlainOneDoes(t *testing.T) {
	const span = 100
	var amended, left, stale int
	check := func(rt *rapid.T) {
		s := &settings{
			span:      span,
			lastCalls: rapid.SampledFrom([]int{0, 0, 1, 2, 7, 30}).Draw(rt, "last"),
			limits: &limits{
				minCalls:     int64(rapid.IntRange(1, 12).Draw(rt, "minCalls")),
				failureRatio: rapid.SampledFrom([]float64{0.1, 0.5, 1}).Draw(rt, "failureRatio"),
				slowRatio:    rapid.SampledFrom([]float64{0.1, 0.5, 1}).Draw(rt, "slowRatio"),
				row:          uint64(rapid.SampledFrom([]int{0, 1, 3}).Draw(rt, "row")),
			},
		}
		kinds := []outcome{success, failure}
		if rapid.Bool().Draw(rt, "tells slow") {
			s.slowCall = int64(time.Second)
			kinds = append(kinds, slow, slow|failure)
		}
		now := rapid.SampledFrom([]int64{0, 99, -12345, 1 << 50}).Draw(rt, "now")
		var w window
		w.init(s, now)
		plain := &plainWindow{last: s.lastCalls, span: span}
		tag := uint64(0)
		for range rapid.IntRange(20, 200).Draw(rt, "steps") {
			o := rapid.SampledFrom(kinds).Draw(rt, "outcome")
			suspect, step := false, rapid.SampledFrom([]string{
				"add", "add", "add", "add", "add", "add", "sleep", "sleep", "amend", "hung", "end hung", "stale", "fold", "reset",
			}).Draw(rt, "step")
			switch step {
			case "add":
				var landed bool
				if landed, suspect = w.add(now, tag, o); !landed {
					rt.Fatal("lost")
				}
				plain.add(now, o)
				plain.noteRow(o)
			case "sleep":
				now += rapid.SampledFrom([]int64{1, span - 1, span, 3 * span, 9 * span, 10 * span, 25 * span}).Draw(rt, "sleep")
				if c := plain.census(now); int(c.calls) < len(plain.kept) {
					left++
				}
			case "amend":
				var landed bool
				if landed, suspect = w.amend(now, tag, o&slow); !landed {
					rt.Fatal("not amended")
				}
				plain.amend(now, o&slow)
				plain.noteRow(failure)
				amended++
			case "hung":
				if s.slowCall == 0 {
					continue
				}
				w.addHung(now, tag, 2)
				plain.add(now, slow)
				plain.add(now, slow)
			case "end hung":
				if s.slowCall == 0 {
					continue
				}
				suspect = w.endHung(now, tag, o&failure)
				if o&failure != 0 {
					plain.amend(now, slow)
				}
				plain.noteRow(o & failure)
			case "stale":
				if landed, _ := w.add(now, tag-1&tagMask, o); landed {
					rt.Fatal("an outcome of another generation landed")
				}
				if landed, _ := w.amend(now, tag-1&tagMask, o&slow); landed {
					rt.Fatal("an amendment of another generation landed")
				}
				stale++
				continue
			case "fold":
				w.fold(o, 1)
				plain.totals[o]++
			case "reset":
				tag = (tag + 1) & tagMask
				w.reset(tag)
				plain.kept, plain.row = nil, 0
			}
			c := plain.census(now)
			asks := step == "add" || step == "amend" || step == "end hung" && o&failure != 0
			long := s.limits.row != 0 && uint64(plain.row) >= s.limits.row
			if asks && (s.limits.exceeded(c) || long) && !suspect {
				rt.Fatalf("after %s of %d: %+v and %d in a row are not suspect", step, o, c, plain.row)
			}
			if !suspect && step != "hung" && rapid.IntRange(0, 3).Draw(rt, "look") != 0 {
				continue
			}
			if got := w.census(now, tag); got != c {
				rt.Fatalf("after %s of %d the window holds %+v, want %+v", step, o, got, c)
			}
			_, due := w.due(s.limits, now, tag)
			if due != (s.limits.exceeded(c) || long) {
				rt.Fatalf("after %s of %d, with %+v and %d in a row, due is %v", step, o, c, plain.row, due)
			}
			if due {
				w.unsettle() // as if the mode were ForcedClosed: it stays closed, and counts
			}
			got := fmt.Sprint(w.total(success), w.total(failure), w.total(slow))
			if want := fmt.Sprint(plain.totals[success], plain.totals[failure], plain.totals[slow]+plain.totals[slow|failure]); got != want {
				rt.Fatalf("after %s of %d the totals are %v, want %v", step, o, got, want)
			}
		}
	}
	rapid.Check(t, check)
	if amended == 0 || left == 0 || stale == 0 {
		t.Errorf("%d amended, %d left, %d stale: nothing was tested", amended, left, stale)
	}
}
