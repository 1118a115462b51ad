package flight_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/pool/flight"
)

// explode returns a load that panics with value once gate is closed.
func explode(gate <-chan struct{}, value any) func(context.Context) (int, error) {
	return func(context.Context) (int, error) {
		<-gate
		exploding(value)
		return 0, nil
	}
}

// exploding is a frame to look for in stacks.
//
//go:noinline
func exploding(value any) { panic(value) }

const explodes = "flight_test.exploding"

func TestAPanicReachesALeaderThatRunsItsLoadAsItIs(t *testing.T) {
	g := newGroup(t, flight.Options{})
	open := make(chan struct{})
	close(open)
	defer func() {
		if v := recover(); v != errLoad {
			t.Errorf("recovered %v, want the load's own value", v)
		}
		if s := g.Stats(); s != (flight.Stats{Leaders: 1, Panics: 1}) {
			t.Errorf("%+v", s)
		}
	}()
	g.Do(context.Background(), "k", explode(open, errLoad))
	t.Error("Do returned")
}

func TestThePanicOfALeaderThatRunsItsLoadHasTheLoadsFramesOnItsStack(t *testing.T) {
	g := newGroup(t, flight.Options{})
	open := make(chan struct{})
	close(open)
	defer func() {
		recover()
		// Deferred functions run on top of the panicking stack: what a crash would print.
		stack := make([]byte, 64<<10)
		if stack = stack[:runtime.Stack(stack, false)]; !bytes.Contains(stack, []byte(explodes)) {
			t.Errorf("no %s in\n%s", explodes, stack)
		}
	}()
	g.Do(context.Background(), "k", explode(open, errLoad))
}

func TestAPanicReachesALeaderThatStillWaitsAsAPanicWithTheStack(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		gate := make(chan struct{})
		leader := call(ctx, g, "k", explode(gate, errLoad))
		close(gate)
		r := <-leader.got
		p, ok := r.panic.(*flight.PanicError)
		if !ok || p.Value != errLoad || !strings.Contains(string(p.Stack), explodes) {
			t.Fatalf("the leader panicked with %v", r.panic)
		}
		if strings.HasPrefix(string(p.Stack), "goroutine") {
			t.Errorf("the stack begins with the state of a goroutine that is gone: %.40s", p.Stack)
		}
		if msg := p.Error(); !strings.Contains(msg, "load failed") || !strings.Contains(msg, explodes) {
			t.Errorf("the message has not both value and stack: %s", msg)
		}
	})
}

func TestAPanicIsAnErrorForTheOtherWaiters(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		gate := make(chan struct{})
		leader := call(ctx, g, "k", explode(gate, errLoad))
		followers := []*waiter{call(ctx, g, "k", answers(0)), call(ctx, g, "k", answers(0))}
		close(gate)
		if r := <-leader.got; r.panic == nil {
			t.Errorf("the leader got %+v", r)
		}
		for _, f := range followers {
			r := <-f.got
			p, ok := errors.AsType[*flight.PanicError](r.err)
			if !ok || p.Value != errLoad || !strings.Contains(string(p.Stack), explodes) {
				t.Errorf("a follower got %+v", r)
			}
			if !errors.Is(r.err, errLoad) {
				t.Error("a value that is an error is not found in the PanicError")
			}
		}
		if v, err := g.Do(ctx, "k", answers(2)); v != 2 || err != nil {
			t.Errorf("the key afterwards: %d, %v", v, err)
		}
		if s := g.Stats(); s != (flight.Stats{Leaders: 2, Shared: 2, Panics: 1}) {
			t.Errorf("%+v", s)
		}
	})
}

func TestAPanicOutOfAnotherFlightKeepsItsValueAndStack(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		inner, outer := newGroup(t, flight.Options{}), newGroup(t, flight.Options{})
		gate := make(chan struct{})
		leader := call(ctx, outer, "k", func(ctx context.Context) (int, error) {
			own, cancel := context.WithCancel(ctx)
			defer cancel()
			return inner.Do(own, "k", explode(gate, errLoad))
		})
		close(gate)
		p, ok := (<-leader.got).panic.(*flight.PanicError)
		if !ok || p.Value != errLoad || !strings.Contains(string(p.Stack), explodes) {
			t.Errorf("the outer leader panicked with %v", p)
		}
	})
}

func TestAPanicWithARefusalIsNoRefusal(t *testing.T) {
	err := error(&flight.PanicError{Value: &flight.ClosedError{Name: "inner"}})
	if !errors.Is(err, flight.ErrClosed) {
		t.Error("the value is not found")
	}
	if refusal.Refused(err) {
		t.Error("a load that panicked passes for one that was never made")
	}
	if after, ok := refusal.RetryAfter(err); ok {
		t.Errorf("a panic hints at %v", after)
	}
}

func TestAnErrorThatIsAPanicErrorIsNoPanic(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		given := &flight.PanicError{Value: "elsewhere"}
		if _, err := g.Do(ctx, "k", func(context.Context) (int, error) { return 0, given }); err != given {
			t.Errorf("Do: %v", err)
		}
	})
}

func TestGoexitIsAnErrorForThoseWhoWait(t *testing.T) {
	bubbles(t, func(t *testing.T, ctx context.Context) {
		g := newGroup(t, flight.Options{})
		gate := make(chan struct{})
		leader := call(ctx, g, "k", func(context.Context) (int, error) { <-gate; runtime.Goexit(); return 1, nil })
		follower := call(ctx, g, "k", answers(0))
		close(gate)
		leader.want(t, 0, false, flight.ErrGoexit) // for one that runs its load: what its goroutine had last
		follower.want(t, 0, true, flight.ErrGoexit)
		if v, err := g.Do(ctx, "k", answers(2)); v != 2 || err != nil {
			t.Errorf("the key afterwards: %d, %v", v, err)
		}
		if s := g.Stats(); s.InFlight != 0 || s.Panics != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestGoexitGoesOnInALeaderThatRunsItsLoad(t *testing.T) {
	g := newGroup(t, flight.Options{})
	done := make(chan bool)
	go func() {
		returned := false
		defer func() { done <- returned }()
		g.Do(context.Background(), "k", func(context.Context) (int, error) { runtime.Goexit(); return 1, nil })
		returned = true
	}()
	if <-done {
		t.Error("Do returned from a Goexit")
	}
}

// A failure that no caller sees is counted and logged once: without key, value or text.
func TestAFailureThatNobodyWaitsForIsCountedAndLogged(t *testing.T) {
	tests := []struct {
		name    string
		load    func(context.Context) (int, error)
		cause   string
		typ     string
		want    flight.Stats
		options flight.Options
	}{
		{
			name:  "panic",
			load:  func(context.Context) (int, error) { panic("secret") },
			cause: "load panicked with nobody waiting for it", typ: "*flight.PanicError",
			want: flight.Stats{Leaders: 1, Panics: 1, Unheard: 1},
		},
		{
			name:  "error",
			load:  func(context.Context) (int, error) { return 0, errors.New("secret") },
			cause: "load failed with nobody waiting for it", typ: "*errors.errorString",
			want: flight.Stats{Leaders: 1, Unheard: 1},
		},
		{
			name:  "Goexit",
			load:  func(context.Context) (int, error) { runtime.Goexit(); return 0, nil },
			cause: "load failed with nobody waiting for it", typ: "*errors.errorString",
			want: flight.Stats{Leaders: 1, Unheard: 1},
		},
		{
			name:  "timeout",
			load:  func(context.Context) (int, error) { time.Sleep(time.Minute); return 0, errors.New("secret") },
			cause: "load timed out with nobody waiting for it", typ: "*flight.TimeoutError",
			want:    flight.Stats{Leaders: 1, Timeouts: 1, Unheard: 1},
			options: flight.Options{Timeout: time.Second},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				var log bytes.Buffer
				tt.options.Name, tt.options.Logger = "users", slog.New(slog.NewTextHandler(&log, nil))
				g := newGroup(t, tt.options)
				if !g.Go(ctx, "secret key", tt.load) {
					t.Fatal("Go = false")
				}
				if err := g.Close(ctx); err != nil {
					t.Fatal(err)
				}
				line := log.String()
				if !strings.Contains(line, "joist/flight: "+tt.cause) || !strings.Contains(line, "joist.name=users") ||
					!strings.Contains(line, tt.typ) || strings.Count(line, "\n") != 1 {
					t.Errorf("logged %q", line)
				}
				if strings.Contains(line, "secret") {
					t.Errorf("told a secret: %q", line)
				}
				if s := g.Stats(); s != tt.want {
					t.Errorf("%+v, want %+v", s, tt.want)
				}
			})
		})
	}
}

func TestAPanicAfterTheTimeoutIsCountedAndLogged(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var log bytes.Buffer
		g := newGroup(t, flight.Options{Timeout: time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		gate := make(chan struct{})
		if _, err := g.Do(ctx, "k", explode(gate, "late")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Do: %v", err)
		}
		close(gate)
		synctest.Wait()
		if s := g.Stats(); s != (flight.Stats{Leaders: 1, Panics: 1, Timeouts: 1, Unheard: 1}) {
			t.Errorf("%+v", s)
		}
		if !strings.Contains(log.String(), "load panicked") {
			t.Errorf("logged %q", log.String())
		}
	})
}

// slow is a log that takes its time.
type slow struct {
	slog.Handler
	gate chan struct{}
}

func (s slow) Handle(context.Context, slog.Record) error {
	<-s.gate
	return nil
}

func TestCloseWaitsForWhatItsLoadsHaveToTell(t *testing.T) {
	for name, load := range map[string]func(context.Context) (int, error){
		"a failure": func(context.Context) (int, error) { return 0, errLoad },
		"a Timeout": func(context.Context) (int, error) { <-time.After(time.Second); return 0, nil },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				log := slow{slog.NewTextHandler(io.Discard, nil), make(chan struct{})}
				g := newGroup(t, flight.Options{Timeout: time.Second / 2, Logger: slog.New(log)})
				g.Go(ctx, "k", load)
				<-time.After(2 * time.Second)
				if v, err := g.Do(ctx, "k", answers(2)); v != 2 || err != nil {
					t.Errorf("the key of a load that is being told of: %d, %v", v, err)
				}
				closed := make(chan error, 1)
				go func() { closed <- g.Close(ctx) }()
				synctest.Wait()
				if len(closed) > 0 {
					t.Error("Close has not waited")
				}
				close(log.gate)
				if err := <-closed; err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		})
	}
}
