package flight_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/pool/flight"
)

const modelTimeout = 10 * time.Second

// step is one thing that happens to a group. Which is a number of a call or a load, taken modulo how many there are.
type step struct {
	Do    string // one of happenings
	Key   string
	Stays bool // of a call: its context cannot be cancelled
	Which int
}

// happenings are what may happen, as often as it should. After a close there is less to see, so it comes seldom: patient,
// or with a context that has ended.
var happenings = append(slices.Repeat([]string{
	"call", "call", "call", "call", "leave", "leave", "leave", "end", "end", "panic", "goexit", "forget", "go", "wait",
}, 2), "close", "abort")

func steps() *rapid.Generator[[]step] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			Do:    rapid.SampledFrom(happenings).Draw(t, "do"),
			Key:   rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"),
			Stays: rapid.Bool().Draw(t, "stays"),
			Which: rapid.IntRange(0, 1000).Draw(t, "which"),
		}
	}), 1, 40)
}

// modelLoad is what a load should be like.
type modelLoad struct {
	id        int
	waiters   []*modelCall
	leader    *modelCall // nil for one that Go began
	kept      bool
	inline    bool
	cancelled error // the cause that its context should have
	deadline  time.Time
	settled   bool // at its Timeout
	returned  bool

	ctx  context.Context // of the real load
	gate chan func() (int, error)
}

type modelCall struct {
	*waiter
	load *modelLoad
}

type model struct {
	options flight.Options
	ctx     context.Context // can be cancelled
	g       *flight.Group[string, int]
	loads   []*modelLoad
	calls   []*modelCall // that wait
	byKey   map[string]*modelLoad
	closed  bool
	real    []*modelLoad // loads as they really began
	fault   string
}

// Whatever calls, leaves, loads that end, panic or hang, and time do in whatever order: each call gets what the model
// says at the moment it says it, and each load lives and is cancelled as the model's.
func TestAGroupBehavesAsItsModelInEveryOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		options := flight.Options{Detached: rapid.Bool().Draw(rt, "detached"), Timeout: flight.NoTimeout, Logger: slog.New(slog.DiscardHandler)}
		if rapid.Bool().Draw(rt, "timeout") {
			options.Timeout = modelTimeout
		}
		all := steps().Draw(rt, "steps")
		m := &model{options: options, byKey: make(map[string]*modelLoad)}
		synctest.Test(t, func(t *testing.T) { m.run(t.Context(), all) })
		if m.fault != "" {
			rt.Fatal(m.fault)
		}
	})
}

func (m *model) run(ctx context.Context, all []step) {
	m.ctx = ctx
	m.g, _ = flight.New[string, int](m.options)
	for i, s := range all {
		if m.step(s); m.fault != "" {
			m.fault = fmt.Sprintf("step %d, %+v: %s", i, s, m.fault)
			break
		}
	}
	for _, l := range m.real {
		if !l.returned {
			l.gate <- func() (int, error) { return 0, nil }
		}
	}
	if err := m.g.Close(context.Background()); err != nil && m.fault == "" {
		m.fault = "Close: " + err.Error()
	}
}

func (m *model) step(s step) {
	switch s.Do {
	case "call":
		ctx := m.ctx
		if s.Stays {
			ctx = context.Background()
		}
		c := &modelCall{load: m.byKey[s.Key]}
		shared := c.load != nil
		if !shared && m.closed {
			m.refused(call(ctx, m.g, s.Key, m.load))
			return
		}
		if !shared {
			c.load = m.begin(s.Key, c)
			c.load.inline = s.Stays && m.options.Timeout < 0
		}
		c.load.waiters = append(c.load.waiters, c)
		m.calls = append(m.calls, c)
		c.waiter = call(ctx, m.g, s.Key, m.load)
	case "go":
		began := m.byKey[s.Key] == nil && !m.closed
		if began {
			m.begin(s.Key, nil).kept = true
		}
		if got := m.g.Go(context.Background(), s.Key, m.load); got != began {
			m.fail("Go = %v", got)
		}
	case "close":
		m.closed = true
		go func() { _ = m.g.Close(context.Background()) }()
	case "abort":
		m.abort()
	case "forget":
		m.g.Forget(s.Key)
		delete(m.byKey, s.Key)
	case "wait":
		time.Sleep(modelTimeout / 3)
		synctest.Wait()
		for _, l := range m.loads {
			if m.options.Timeout > 0 && !l.settled && !l.returned && !time.Now().Before(l.deadline) {
				if l.cancelled == nil {
					l.cancelled = context.DeadlineExceeded
				}
				m.settle(l, result{err: context.DeadlineExceeded})
			}
		}
	case "leave":
		if len(m.calls) > 0 {
			m.leave(m.calls[s.Which%len(m.calls)])
		}
	case "end", "panic", "goexit":
		if len(m.loads) > 0 {
			m.end(m.loads[s.Which%len(m.loads)], s.Do)
		}
	}
	m.compare()
}

// load is the function of all loads: it shows itself and does what it is told, whatever becomes of its context.
func (m *model) load(ctx context.Context) (int, error) {
	l := m.loads[len(m.loads)-1] // begun by this step
	m.real = append(m.real, l)
	l.ctx = ctx
	return (<-l.gate)()
}

func (m *model) begin(key string, leader *modelCall) *modelLoad {
	l := &modelLoad{
		id: len(m.real), leader: leader, kept: m.options.Detached, deadline: time.Now().Add(modelTimeout),
		gate: make(chan func() (int, error), 1),
	}
	m.loads = append(m.loads, l)
	m.byKey[key] = l
	return l
}

// abort closes the group with a context that has ended.
func (m *model) abort() {
	m.closed = true
	clear(m.byKey)
	for _, l := range m.loads {
		if l.cancelled == nil {
			l.cancelled = flight.ErrClosed
		}
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m.g.Close(ended); (err != nil) != (len(m.loads) > 0) || err != nil && !errors.Is(err, context.Canceled) {
		m.fail("Close = %v with %d loads", err, len(m.loads))
	}
}

// refused checks that a call was refused at once.
func (m *model) refused(w *waiter) {
	if w.pending() {
		m.fail("a call of a closed group waits")
	} else if got := <-w.got; !errors.Is(got.err, flight.ErrClosed) || got.panic != nil {
		m.fail("a call of a closed group got %+v", got)
	}
}

func (m *model) leave(c *modelCall) {
	if c.waiter.leave == nil {
		return // it cannot
	}
	c.waiter.leave(nil)
	if c.load.inline && c.load.leader == c {
		m.fail("a leader that runs its load has a context that can be cancelled")
	}
	m.got(c, result{err: context.Canceled})
	c.load.waiters = without(c.load.waiters, c)
	if len(c.load.waiters) == 0 && !c.load.kept {
		m.free(c.load)
		if c.load.cancelled == nil {
			c.load.cancelled = context.Canceled
		}
	}
}

func (m *model) end(l *modelLoad, how string) {
	l.returned = true
	m.loads = without(m.loads, l)
	var r result
	switch how {
	case "end":
		r.v = l.id
		l.gate <- func() (int, error) { return l.id, nil }
	case "panic":
		r.panic = errLoad
		l.gate <- func() (int, error) { panic(errLoad) }
	case "goexit":
		r.err = flight.ErrGoexit
		l.gate <- func() (int, error) { runtime.Goexit(); return 0, nil }
	}
	m.settle(l, r)
}

// settle checks that the waiters of l, if it still has any, get r, and frees its key.
func (m *model) settle(l *modelLoad, r result) {
	m.free(l)
	l.settled = true
	for _, c := range l.waiters {
		own := r
		if r.panic != nil && c != l.leader {
			own.panic, own.err = nil, errLoad // found in the PanicError
		}
		m.got(c, own)
	}
	l.waiters = nil
}

func (m *model) got(c *modelCall, want result) {
	m.calls = without(m.calls, c)
	if c.pending() {
		m.fail("a call still waits, want %+v", want)
		return
	}
	got := <-c.waiter.got
	panicked, _ := got.panic.(error)
	wantPanic, _ := want.panic.(error)
	if got.v != want.v || !errors.Is(got.err, want.err) || (got.err == nil) != (want.err == nil) && want.panic == nil ||
		!errors.Is(panicked, wantPanic) || (got.panic == nil) != (want.panic == nil) {
		m.fail("a call got %+v, want %+v", got, want)
	}
}

func (m *model) free(l *modelLoad) {
	for key, other := range m.byKey {
		if other == l {
			delete(m.byKey, key)
		}
	}
}

func (m *model) compare() {
	synctest.Wait()
	if running := m.g.Stats().InFlight; running != int64(len(m.loads)) {
		m.fail("%d loads in flight, want %d", running, len(m.loads))
	}
	for _, c := range m.calls {
		if !c.pending() {
			m.fail("a call has its answer too early: %+v", <-c.waiter.got)
		}
	}
	for _, l := range m.loads {
		if l.ctx == nil {
			m.fail("load %d has not begun", l.id)
		} else if cause := context.Cause(l.ctx); (cause == nil) != (l.cancelled == nil) || !errors.Is(cause, l.cancelled) {
			m.fail("load %d has the cause %v, want %v", l.id, cause, l.cancelled)
		}
	}
}

func (m *model) fail(format string, args ...any) {
	if m.fault == "" {
		m.fault = fmt.Sprintf(format, args...)
	}
}

func without[T comparable](all []T, one T) []T {
	var rest []T
	for _, x := range all {
		if x != one {
			rest = append(rest, x)
		}
	}
	return rest
}
