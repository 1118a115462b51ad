package retry

import (
	"context"
	"runtime"
	"testing"
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
