// Package contract holds what every block promises, as one suite of tests that runs against each of them. What a
// block promises beyond is tested beside the block.
//
// The numbers are those of the contracts:
//
//  1. one verb, that composes by nesting and allocates nothing
//  2. options in one struct, all faults at once
//  3. refusals known by their interfaces, through any wrapping, an http.Client's included
//  4. no wait past the context's deadline
//  5. a caller that leaves is answered promptly
//  6. panics and runtime.Goexit leak nothing
//  7. callbacks run outside every lock
//  8. virtual time
//  9. bounds
//  10. telemetry that costs nearly nothing (internal/benchmarks, internal/telemetrytest)
//  11. Close leaves nothing behind, and what has no Close is collected
package contract

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Call is what a block guards.
type Call = func(context.Context) error

// Guard is a made block, reduced to its verb.
type Guard struct {
	Do    func(ctx context.Context, call Call) error
	Close func(ctx context.Context) error // nil for a block without goroutines
	Gone  func() bool                     // whether the block has been collected, see Watch
}

// Block describes one block to the suite. Its functions are called inside of testing/synctest bubbles too.
type Block struct {
	Name string

	// New returns a block that accepts calls, one at a time at least, whatever became of earlier ones.
	New func(t testing.TB) Guard

	// Refusing returns a block that refuses every call until the time it hints at, if it hints. Nil for a block that
	// never refuses.
	Refusing func(t testing.TB) Guard

	// Refusal is what errors.Is finds in a refusal.
	Refusal error

	// Hints tells whether a refusal says when another try is worth it.
	Hints bool

	// Panic takes apart the panic of a block whose calls run on other goroutines, where a Goexit is an error and the
	// panic's own stack would be lost. Nil for a block whose calls run on the caller's goroutine.
	Panic func(err error) (value any, stack []byte)
}

// Refused is how blocks know each other's refusals.
type Refused interface {
	error
	Refused() bool
	RetryAfter() time.Duration
}

// Run runs the suite against one block.
func Run(t *testing.T, b Block) {
	t.Helper()
	t.Run("a call and its error pass", b.testPasses)
	t.Run("3: a refusal is known through wrapping", b.testRefusal)
	t.Run("3: a refusal's hint holds in virtual time", b.testHint)
	t.Run("4: a context that has ended runs nothing", b.testEnded)
	t.Run("5: a caller that leaves is answered promptly", b.testLeaves)
	t.Run("6: a panic reaches the caller and leaks nothing", b.testPanics)
	t.Run("6: a Goexit leaks nothing", b.testGoexits)
	t.Run("8: a day passes", b.testVirtualDay)
	t.Run("11: nothing is left behind", b.testLeavesNothing)
}

func (b Block) testPasses(t *testing.T) {
	g := b.made(t)
	if err := g.Do(t.Context(), succeed); err != nil {
		t.Errorf("a call that succeeds gives %v", err)
	}
	mine := errors.New("mine")
	if err := g.Do(t.Context(), func(context.Context) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("a call's own error is lost: %v", err)
	}
}

func succeed(context.Context) error { return nil }

// made returns a new block that is closed when the test ends.
func (b Block) made(t testing.TB) Guard {
	t.Helper()
	g := b.New(t)
	closeAfter(t, g)
	return g
}

func closeAfter(t testing.TB, g Guard) {
	t.Helper()
	if g.Close == nil {
		return
	}
	t.Cleanup(func() {
		if err := g.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}
