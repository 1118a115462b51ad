package pool_test

import (
	"context"
	"runtime"
	"testing"
	"weak"

	"github.com/joist-go/joist/pool"
)

// becomesGarbage tells whether what ref points to becomes garbage.
func becomesGarbage[T any](ref weak.Pointer[T]) bool {
	for range 1000 {
		runtime.GC()
		if runtime.Gosched(); ref.Value() == nil {
			return true
		}
	}
	return false
}

// large is what a task or its caller holds on to.
type large [1 << 20]byte

func TestAnIdleWorkerHoldsNothingOfItsLastTask(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	ref := func() weak.Pointer[pool.Future[byte]] {
		held := new(large)
		f, err := pool.Submit(t.Context(), p, func(context.Context) (byte, error) { return held[0], nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		return weak.Make(f)
	}()
	if !becomesGarbage(ref) {
		t.Error("the Future is never collected")
	}
}

func TestAFutureThatIsKeptHoldsNothingThatItsFunctionCaptured(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	f, ref := func() (*pool.Future[byte], weak.Pointer[large]) {
		held := new(large)
		f, err := pool.Submit(t.Context(), p, func(context.Context) (byte, error) { return held[0], nil })
		if err != nil {
			t.Fatal(err)
		}
		return f, weak.Make(held)
	}()
	if _, err := f.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !becomesGarbage(ref) {
		t.Error("what the function captured is never collected")
	}
	runtime.KeepAlive(f)
}

// A task that asks for the end of its context is told of that of the pool, until it has ended.
func TestAPoolHoldsNothingOfTheContextsOfTasksThatHaveEnded(t *testing.T) {
	p := open(t, pool.Options{Workers: 1})
	ref := func() weak.Pointer[large] {
		held := new(large)
		f, err := pool.Submit(context.WithValue(t.Context(), key{}, held), p, func(ctx context.Context) (int, error) {
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			return 0, child.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		return weak.Make(held)
	}()
	if !becomesGarbage(ref) {
		t.Error("a value of the context of a task that has ended is never collected")
	}
}

func TestAClosedPoolIsCollected(t *testing.T) {
	ref := func() weak.Pointer[pool.Pool] {
		p, err := pool.New(pool.Options{Workers: 2}) // not by open, whose clean-up holds the pool
		if err != nil {
			t.Fatal(err)
		}
		occupy(t, p, 2)()
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		return weak.Make(p)
	}()
	if !becomesGarbage(ref) {
		t.Error("the pool is never collected")
	}
}
