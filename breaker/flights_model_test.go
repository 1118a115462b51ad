package breaker

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/internal/clock"
)

// plainFlight is a call that is out.
type plainFlight struct {
	mark, began int64
	tag         uint64
	hung        bool // it was counted
}

func TestFlightsAreCountedAsAPlainListOfThemWouldBe(t *testing.T) {
	var hung, over int
	check := func(rt *rapid.T) {
		slowCall := rapid.SampledFrom([]int64{8, 9, 1000, int64(time.Hour)}).Draw(rt, "slowCall")
		part := (slowCall + 6) / 7
		now := rapid.SampledFrom([]int64{0, 1, -1, -7, -12345, 1 << 50}).Draw(rt, "now")
		f := newFlights(time.Duration(slowCall), now, rapid.Bool().Draw(rt, "striped"))
		var out []*plainFlight
		tag := uint64(0)
		// sweep is what a breaker does when a call finds that some are due.
		sweep := func() {
			due := map[int64]int64{} // hung calls by when they are found
			for _, p := range out {
				if at := (clock.FloorDiv(p.began, part) + parts) * part; at <= now && p.tag == tag && !p.hung {
					due[at]++
					p.hung = true
					hung++
				}
			}
			for last := int64(-1 << 62); ; {
				n, at, found := f.next(now, tag)
				if !found {
					break
				}
				if n != due[at] || at <= last {
					rt.Fatalf("%d calls hang at %d, after %d, want %v", n, at, last, due)
				}
				last = at
				delete(due, at)
			}
			if len(due) > 0 {
				rt.Fatalf("%v were not found at %d", due, now)
			}
		}
		for range rapid.IntRange(20, 150).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"begin", "begin", "begin", "end", "end", "sleep", "sleep", "sweep", "reset"}).Draw(rt, "step") {
			case "begin":
				if f.due(now) {
					sweep()
				}
				p := &plainFlight{mark: f.begin(f.stripe(), now, tag), began: now, tag: tag}
				if p.mark == 0 {
					rt.Fatalf("not counted at %d", now)
				}
				out = append(out, p)
			case "end":
				if len(out) == 0 {
					continue
				}
				if f.due(now) {
					sweep()
				}
				i := rapid.IntRange(0, len(out)-1).Draw(rt, "which")
				p := out[i]
				out = slices.Delete(out, i, i+1)
				isOut, isOver := f.end(f.stripe(), p.mark, p.tag)
				if isOut != (p.tag == tag && !p.hung) || isOver != (p.tag != tag) {
					rt.Fatalf("%+v in generation %d is out %v, over %v", p, tag, isOut, isOver)
				}
				if isOver && p.tag+1 == tag {
					over++
					if f.counted(p.mark, p.tag) != p.hung {
						rt.Fatalf("%+v is said to be counted: %v", p, !p.hung)
					}
				}
			case "sleep":
				now += rapid.SampledFrom([]int64{1, part - 1, part, 2 * part, slowCall, 8*part - 1, 50 * part}).Draw(rt, "sleep")
			case "sweep":
				sweep()
			case "reset":
				f.reset(Closed, tag, tag+1)
				tag++
			}
		}
	}
	rapid.Check(t, check)
	if hung == 0 || over == 0 {
		t.Errorf("%d hung, %d ended after their generation: nothing was tested", hung, over)
	}
}
