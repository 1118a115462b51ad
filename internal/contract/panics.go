package contract

import (
	"context"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
)

// abnormal is how often a call ends abnormally before the block must still work: more often than any block of the
// suite has permits.
const abnormal = 100

type boom struct{ n int }

func explode(n int) error { panic(boom{n}) }

func (b Block) testPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := b.made(t)
		for n := range abnormal {
			value, stack := recovered(func() error {
				return g.Do(t.Context(), func(context.Context) error { return explode(n) })
			})
			if value == nil {
				t.Fatal("the panic did not reach the caller")
			}
			if err, ok := value.(error); ok && b.Panic != nil {
				var raw []byte
				value, raw = b.Panic(err)
				stack = string(raw)
			}
			if value != (boom{n}) {
				t.Fatalf("the panic has the value %v", value)
			}
			if !strings.Contains(stack, "contract.explode") {
				t.Fatalf("the stack does not show where the panic was:\n%s", stack)
			}
		}
		synctest.Wait()
		if err := g.Do(t.Context(), succeed); err != nil {
			t.Errorf("after %d panics: %v", abnormal, err)
		}
	})
}

func recovered(f func() error) (value any, stack string) {
	defer func() {
		if value = recover(); value != nil {
			stack = string(debug.Stack())
		}
	}()
	_ = f() // it panics
	return nil, ""
}

func (b Block) testGoexits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := b.made(t)
		for range abnormal {
			var (
				err      error
				returned bool
			)
			done := make(chan struct{})
			go func() {
				defer close(done)
				err = g.Do(t.Context(), func(context.Context) error { runtime.Goexit(); return nil })
				returned = true
			}()
			<-done
			if returned && err == nil {
				t.Fatal("a Goexit passed for a success")
			}
			if b.Panic != nil && !returned {
				t.Fatal("a Goexit in shared work ended a caller's goroutine")
			}
		}
		synctest.Wait()
		if err := g.Do(t.Context(), succeed); err != nil {
			t.Errorf("after %d Goexits: %v", abnormal, err)
		}
	})
}
