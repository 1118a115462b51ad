package ratelimit

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// sixth is the unit of the ledger, of which a nanosecond has six: at 1, 2 or 3 tokens per interval all its times are
// whole numbers.
const sixth = 6

// entry is a line of the ledger: tokens that were taken (by a take or a charge), reserved, or given back.
type entry struct {
	kind      op
	at        int64
	n         int64
	gone      bool // a reservation that was cancelled
	last      bool // it was the last of all then, but for others that were
	handle    *Reservation
	took      []bool  // from which limits
	told      []int64 // by each limit: when a reservation may be used
	since     int64   // tokens taken after it until it was cancelled
	given     []int64 // by a refund, to each limit
	heldReady int64   // when all limits let it be used
}

// ledger is the limits as plain arithmetic: each is the moment at which its bucket is full, and a list of all that was done.
// It shares nothing with the limiter, and does not tell what Cancel gives back: it says within which bounds that must be.
type ledger struct {
	limits  []Limit
	full    []int64
	entries []*entry
}

func (g *ledger) cost(i int, n int64) int64 {
	return n * int64(g.limits[i].Per) * sixth / g.limits[i].Tokens
}
func (g *ledger) size(i int) int64 { return g.cost(i, g.limits[i].Burst) }

// do writes an entry and returns whether it was allowed.
func (g *ledger) do(e *entry) bool {
	e.took, e.told, e.given = make([]bool, len(g.limits)), make([]int64, len(g.limits)), make([]int64, len(g.limits))
	after := slices.Clone(g.full)
	for i, l := range g.limits {
		cost := g.cost(i, e.n)
		next := max(g.full[i], e.at) + cost
		fits := next-e.at <= g.size(i)
		switch e.kind {
		case take:
			if !fits && !l.Shadow {
				return false
			}
			e.took[i] = fits
		case reserve:
			if e.n > l.Burst && !l.Shadow {
				return false
			}
			e.took[i] = e.n <= l.Burst
		case charge:
			e.took[i] = true
		case refund:
			after[i] = min(g.full[i], max(g.full[i]-cost, e.at))
			e.given[i] = g.full[i] - after[i]
			continue
		}
		if e.took[i] {
			after[i] = next
			e.told[i] = max(e.at, next-g.size(i))
			if !l.Shadow {
				e.heldReady = max(e.heldReady, e.told[i])
			}
		}
	}
	g.full = after
	g.entries = append(g.entries, e)
	return true
}

// cancel writes that a reservation is not used, and what was taken since.
func (g *ledger) cancel(e *entry) {
	e.gone, e.last, e.since = true, true, 0
	later := g.entries[slices.Index(g.entries, e)+1:]
	for _, x := range later {
		if x.kind != refund && (!x.gone || !x.last) {
			e.since += x.n
			e.last = false
		}
	}
}

// without returns when limit i would be full had those that are gone never been.
func (g *ledger) without(i int) (full int64) {
	for _, e := range g.entries {
		switch {
		case e.gone:
		case e.kind == refund:
			full = min(full, max(full-g.cost(i, e.n), e.at))
		case e.took[i]:
			full = max(full, e.at) + g.cost(i, e.n)
		}
	}
	return full
}

// heldBack returns the most that may be missing in limit i because later ones depend on it.
func (g *ledger) heldBack(i int) (most int64) {
	for _, e := range g.entries {
		if e.gone && e.took[i] {
			most += g.cost(i, min(e.n, e.since))
		}
	}
	return most
}

// excess describes a stretch of time in which more is used than limit i lets pass, and is empty if there is none.
func (g *ledger) excess(i int) string {
	type use struct{ at, n int64 }
	var used []use
	refunded := int64(0)
	for _, e := range g.entries {
		switch {
		case e.kind == refund:
			refunded += e.given[i]
		case e.gone || !e.took[i]:
		case e.kind == charge: // in debt, it is as if it were used when it is paid for
			for k := range e.n {
				used = append(used, use{max(e.at, e.told[i]-g.cost(i, e.n-1-k)), 1})
			}
		default:
			used = append(used, use{e.told[i], e.n})
		}
	}
	slices.SortStableFunc(used, func(a, b use) int { return int(a.at - b.at) })
	for from := range used {
		sum := int64(0)
		for _, u := range used[from:] {
			sum += g.cost(i, u.n)
			if most := g.size(i) + u.at - used[from].at + refunded; sum > most {
				return fmt.Sprintf("from %d to %d there are used %d of at most %d", used[from].at, u.at, sum, most)
			}
		}
	}
	return ""
}

// deed is what is done in a step of a history.
type deed struct {
	kind  op
	which int // of the reservations
	n     int64
	sleep time.Duration
	part  int64 // percent of the time until the bucket of some limit is full, to sleep besides
}

func drawLimits(t *rapid.T) (limits []Limit) {
	for i := range rapid.IntRange(2, 4).Draw(t, "limits") {
		l := Limit{
			Name:   fmt.Sprint(i),
			Tokens: rapid.Int64Range(1, 3).Draw(t, "tokens"),
			Per:    time.Duration(rapid.IntRange(20, 400).Draw(t, "per")),
			Burst:  rapid.Int64Range(1, 8).Draw(t, "burst"),
		}
		l.Shadow = i > 0 && rapid.IntRange(0, 2).Draw(t, "shadow") == 0
		limits = append(limits, l)
	}
	return limits
}

func drawDeeds(t *rapid.T, kinds []op) []deed {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
		return deed{
			kind:  rapid.SampledFrom(kinds).Draw(t, "kind"),
			which: rapid.IntRange(0, 30).Draw(t, "which"),
			n:     rapid.SampledFrom([]int64{1, 1, 2, 3, 5, 8}).Draw(t, "n"),
			sleep: time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 30, 100}).Draw(t, "sleep")),
			part:  rapid.SampledFrom([]int64{0, 0, 0, 0, 0, 0, 10, 50, 90, 99, 101}).Draw(t, "part"),
		}
	}), 1, 40).Draw(t, "deeds")
}

// history does deeds to a limiter and to the ledger beside it, and returns the first difference.
type history struct {
	g       *ledger
	l       *Limiter
	began   time.Time
	pending []*entry
}

func newHistory(t *testing.T, limits []Limit) *history {
	t.Helper()
	began := time.Now()
	l, err := New(Options{Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	return &history{g: &ledger{limits: limits, full: make([]int64, len(limits))}, l: l, began: began}
}

// run does all deeds and then looks at what was used.
func (h *history) run(deeds []deed) error {
	for i, d := range deeds {
		if err := h.do(d); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	for i := range h.g.limits {
		if excess := h.g.excess(i); excess != "" {
			return fmt.Errorf("limit %d: %s", i, excess)
		}
	}
	return nil
}

func (h *history) now() int64 { return int64(time.Since(h.began)) * sixth }

// actual returns when each bucket of the limiter is full.
func (h *history) actual() (full []int64) {
	s := h.l.state.Load()
	words, _ := s.read(new([MaxLimits]uint64))
	for i, w := range words {
		full = append(full, int64(w*sixth/s.plan.buckets[i].num))
	}
	return full
}

// do does one deed and tells what is wrong with it.
func (h *history) do(d deed) (fault error) {
	full := h.g.full[d.which%len(h.g.full)]
	time.Sleep(d.sleep + time.Duration(max(0, full-h.now())*d.part/100/sixth))
	e := &entry{kind: d.kind, at: h.now(), n: d.n}
	switch d.kind {
	case cancel:
		if len(h.pending) == 0 {
			return nil
		}
		return h.cancel(d.which % len(h.pending))
	case reserve:
		if fault = h.reserve(e); fault != nil {
			return fault
		}
	case take:
		r, err := h.l.Take(d.n)
		if allowed := h.g.do(e); err != nil || r.Allowed != allowed {
			return fmt.Errorf("a take of %d: %+v, %v, want %v", d.n, r, err, allowed)
		}
	case charge:
		h.g.do(e)
		fault = h.l.Charge(d.n)
	case refund:
		h.g.do(e)
		fault = h.l.Refund(d.n)
	}
	if got := h.actual(); fault == nil && !same(got, h.g.full, e.at) {
		return fmt.Errorf("after %+v the buckets are full at %v, want %v", d, got, h.g.full)
	}
	return fault
}

// same tells whether the buckets are alike at that moment: those that are full are.
func same(a, b []int64, at int64) bool {
	return slices.EqualFunc(a, b, func(a, b int64) bool { return max(a, at) == max(b, at) })
}

func (h *history) reserve(e *entry) error {
	r, err := h.l.Reserve(e.n)
	if !h.g.do(e) {
		limited, is := errors.AsType[*LimitedError](err)
		if !is || !limited.Result.Never {
			return fmt.Errorf("a reservation of %d: %v, want Never", e.n, err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	want := time.Duration((max(0, e.heldReady-e.at) + sixth - 1) / sixth)
	if got := r.Delay(); got != want {
		return fmt.Errorf("a reservation of %d is told %v, want %v", e.n, got, want)
	}
	e.handle = r
	h.pending = append(h.pending, e)
	return nil
}

// cancel cancels a reservation twice, and compares what came of it with what the bounds are: the buckets are not fuller than
// if all that were cancelled had never been, and less full by no more than later ones depend on.
func (h *history) cancel(which int) error {
	e := h.pending[which]
	h.pending = slices.Delete(h.pending, which, which+1)
	now := h.now()
	h.g.cancel(e)
	e.handle.Cancel()
	full := h.actual()
	e.handle.Cancel()
	if again := h.actual(); !slices.Equal(full, again) {
		return fmt.Errorf("a second Cancel moved the buckets from %v to %v", full, again)
	}
	for i := range h.g.limits {
		if full[i] > h.g.full[i] {
			return fmt.Errorf("a cancelled reservation took from limit %d", i)
		}
		least := max(now, h.g.without(i))
		if got := max(now, full[i]); got < least {
			return fmt.Errorf("limit %d is full at %d, and would be at %d if nobody had reserved and cancelled: something was created", i, got, least)
		} else if most := least + h.g.heldBack(i); got > most {
			return fmt.Errorf("limit %d is full at %d, and should be at %d: something is lost", i, got, most)
		}
	}
	h.g.full = full
	return nil
}

func runHistories(t *testing.T, kinds []op) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		limits, deeds := drawLimits(rt), drawDeeds(rt, kinds)
		var fault error
		synctest.Test(t, func(t *testing.T) { fault = newHistory(t, limits).run(deeds) })
		if fault != nil {
			rt.Fatal(fault)
		}
	})
}

// Several limits, some of them shadows, and all that can be done to them: the limiter does what the ledger says, and what is
// cancelled, in any order and at any time, creates nothing and loses nothing that no later one depends on.
func TestSeveralLimitsReservedAndCancelledInAnyOrderAreAsTheLedger(t *testing.T) {
	runHistories(t, []op{reserve, reserve, reserve, cancel, cancel, take, charge, refund})
}

// Without refunds, which may be taken once more, the limit holds in any stretch of time.
func TestSeveralLimitsReservedAndCancelledInAnyOrderAreNeverExceeded(t *testing.T) {
	runHistories(t, []op{reserve, reserve, reserve, cancel, cancel, take, charge})
}

// Histories that chance finds seldom.
func TestReservationsThatAreCancelledLateOrOutOfOrderAreAsTheLedger(t *testing.T) {
	for name, deeds := range map[string][]deed{
		"shortly before the bucket is full": {
			{kind: take, n: 2}, {kind: reserve, n: 3}, {kind: take, n: 2, sleep: 490}, {kind: cancel},
		},
		"after two before it": {
			{kind: reserve, n: 5}, {kind: reserve, n: 5}, {kind: reserve, n: 1}, {kind: cancel, which: 1}, {kind: cancel},
			{kind: take, n: 1, sleep: 500}, {kind: cancel},
		},
		"after a refund": {
			{kind: take, n: 5}, {kind: reserve, n: 1}, {kind: refund, n: 5}, {kind: take, n: 1, sleep: 50}, {kind: cancel},
		},
		"beside a charge": {
			{kind: reserve, n: 4}, {kind: charge, n: 3}, {kind: cancel}, {kind: take, n: 1, sleep: 400}, {kind: take, n: 5, sleep: 200},
		},
		"from the last to the first": {
			{kind: take, n: 5}, {kind: reserve, n: 2}, {kind: reserve, n: 5}, {kind: reserve, n: 1},
			{kind: cancel, which: 2}, {kind: cancel, which: 1, sleep: 30}, {kind: cancel, sleep: 30},
		},
	} {
		t.Run(name, func(t *testing.T) {
			limits := []Limit{
				Every(100).WithBurst(5), Every(100).WithBurst(6).Named("roomier"), Every(200).WithBurst(3).Named("shadow").Shadowed(),
			}
			synctest.Test(t, func(t *testing.T) {
				if fault := newHistory(t, limits).run(deeds); fault != nil {
					t.Error(fault)
				}
			})
		})
	}
}
