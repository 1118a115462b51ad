package flight

import (
	"context"
	"runtime"
	"testing"
)

// This one fails when a load can be joined between the return of its function and the removal of its key: the lock of
// the shard is taken meanwhile, which under load may take long.
func TestALoadWhoseFunctionHasReturnedIsNotJoinedWhileItWaitsForTheLock(t *testing.T) {
	g, err := New[string, int](Options{})
	if err != nil {
		t.Fatal(err)
	}
	began, gate := make(chan struct{}), make(chan struct{})
	g.Go(t.Context(), "k", func(context.Context) (int, error) { close(began); <-gate; return 1, nil })
	<-began
	hash := g.table.hash("k")
	s := g.table.at(hash)
	s.mu.Lock()
	c := s.find(hash, "k")
	if !c.joinable() {
		t.Error("a load that runs cannot be joined")
	}
	close(gate)
	for !c.ended.Load() { // set before the lock is asked for: this ends though we hold it
		runtime.Gosched()
	}
	if s.find(hash, "k") != c || c.joinable() {
		t.Error("a load whose function has returned can be joined")
	}
	s.mu.Unlock()
	if v, err := g.Do(context.Background(), "k", func(context.Context) (int, error) { return 2, nil }); v != 2 || err != nil {
		t.Errorf("the next call: %d, %v", v, err)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
