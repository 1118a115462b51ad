package retry

import (
	"context"
	"math"
	"runtime"
	"testing"
	"time"
)

// callTimes makes n calls with a policy that is then dropped.
func callTimes(t *testing.T, b *Budget, n int) {
	t.Helper()
	p, err := New(Options{Budget: b})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := p.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestABudgetLetsGoOfAPolicyAndKeepsItsCalls(t *testing.T) {
	b, err := NewBudget(BudgetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	callTimes(t, b, 100)
	known := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.cells)
	}
	for range 1000 {
		runtime.GC()
		runtime.Gosched()
		if known() == 0 {
			break
		}
	}
	if known() != 0 {
		t.Fatal("the policy is never collected")
	}
	if got := b.Stats().Calls; got != 100 {
		t.Errorf("%d calls, want 100", got)
	}
	callTimes(t, b, 7)
	if got := b.Stats().Calls; got != 107 {
		t.Errorf("%d calls, want 107", got)
	}
}

func TestNoNumberOfCallsOverflowsABudget(t *testing.T) {
	for _, calls := range []int64{maxGrowth, math.MaxInt64 / token, math.MaxInt64} {
		s := newShare(BudgetOptions{Ratio: 1})
		for now := range int64(3) {
			s.earn(calls, now*int64(time.Second))
			if got := s.available(0); got < 1e9 {
				t.Errorf("after another %d calls at once %v retries are there", calls, got)
			}
		}
	}
}

// A goroutine that was held up after it read the clock must not make the window forget.
func TestAnOldReadingOfTheClockTurnsNoWindowBack(t *testing.T) {
	const second = int64(time.Second)
	w := new(finagleWindow)
	w.earn(10, 20*second)
	w.earn(5, 8*second)
	w.earn(0, 21*second)
	if w.sum != 15 {
		t.Errorf("%d calls are known, want 15", w.sum)
	}
	w.earn(0, 30*second)
	if w.sum != 0 {
		t.Errorf("%d calls are known 10 s later, want none", w.sum)
	}
}
