package pool_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/pool"
)

func TestOnPanicIsToldOfThePanicOfATaskOfGo(t *testing.T) {
	type told struct {
		value any
		stack string
	}
	got := make(chan told, 1)
	p := open(t, pool.Options{Workers: 1, OnPanic: func(v any, stack []byte) { got <- told{v, string(stack)} }})
	if err := p.Go(t.Context(), func(context.Context) { explode("boom") }); err != nil {
		t.Fatal(err)
	}
	if g := <-got; g.value != "boom" || !strings.Contains(g.stack, "pool_test.explode") {
		t.Errorf("got %v\n%s", g.value, g.stack)
	}
	run(t.Context(), t, p, nothing) // the worker is replaced
	if s := p.Stats(); s.Panics != 1 || s.Workers != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestOnPanicMayUseThePoolAndEndItsGoroutine(t *testing.T) {
	again := make(chan error, 1)
	var p *pool.Pool
	p = open(t, pool.Options{Workers: 1, OnPanic: func(any, []byte) {
		again <- p.Go(context.Background(), nothing)
		runtime.Goexit()
	}})
	if err := p.Go(t.Context(), func(context.Context) { panic("boom") }); err != nil {
		t.Fatal(err)
	}
	if err := <-again; err != nil {
		t.Error(err)
	}
	run(t.Context(), t, p, nothing)
}

func TestOnPanicIsToldOfAFutureThatNobodyAsked(t *testing.T) {
	got := make(chan any, 1)
	p := open(t, pool.Options{Workers: 1, OnPanic: func(v any, _ []byte) { got <- v }})
	if _, err := pool.Submit(t.Context(), p, func(context.Context) (int, error) { panic("boom") }); err != nil {
		t.Fatal(err)
	}
	run(t.Context(), t, p, nothing)
	if v := collected(got); v != "boom" {
		t.Errorf("got %v", v)
	}
}

func TestOnPanicIsNotToldOfAFutureThatWasAsked(t *testing.T) {
	got := make(chan any, 2)
	p := open(t, pool.Options{Workers: 1, OnPanic: func(v any, _ []byte) { got <- v }})
	f, err := pool.Submit(t.Context(), p, func(context.Context) (int, error) { panic("seen") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Wait(t.Context()); err == nil {
		t.Fatal("no error")
	}
	f = nil
	if _, err := pool.Submit(t.Context(), p, func(context.Context) (int, error) { panic("unseen") }); err != nil {
		t.Fatal(err)
	}
	run(t.Context(), t, p, nothing)
	if v := collected(got); v != "unseen" { // both are garbage by now
		t.Errorf("got %v", v)
	}
}

// collected collects garbage until ch has something to say.
func collected(ch <-chan any) any {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		runtime.GC()
		select {
		case v := <-ch:
			return v
		case <-time.After(time.Millisecond):
		}
	}
	return errors.New("nothing")
}

// crashEnv makes the test binary a process that a panic is to end.
const crashEnv = "JOIST_POOL_CRASH"

func crash(mode string) {
	p, err := pool.New(pool.Options{Workers: 1})
	if err != nil {
		os.Exit(3)
	}
	switch mode {
	case "go":
		_ = p.Go(context.Background(), func(context.Context) { explode("nobody takes this") })
	case "future":
		_, _ = pool.Submit(context.Background(), p, func(context.Context) (int, error) { explode("nobody takes this"); return 0, nil })
	}
	collected(nil)
	os.Exit(4)
}

func TestAPanicThatNobodyTakesEndsTheProcessWithItsStack(t *testing.T) {
	for _, mode := range []string{"go", "future"} {
		t.Run(mode, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), crashEnv+"="+mode)
			out, err := cmd.CombinedOutput()
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exit.ExitCode() != 2 {
				t.Fatalf("ended with %v:\n%s", err, out)
			}
			for _, want := range []string{"panic: ", "nobody takes this", "pool_test.explode"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("does not say %q:\n%s", want, out)
				}
			}
		})
	}
}
