package flight

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// loadContext is the context of a load: the leader's values, the load's own end. It lies in the call, and the standard
// context with its channel, its timer and its children is made when somebody first asks for what needs it, or when the
// load is cancelled. Many loads never ask, and a load of 100 ns would pay more for its context than for itself.
//
// It stays exact under [context.Cause] and under derived contexts. Both look among the values for the context that they
// take cancellation from, and would find the leader's as long as this one's own is not made: but a derived context asks
// for Done before, which makes it, and Cause for Err, which is nil until it is made or makes it.
type loadContext struct {
	values context.Context // the leader's: its values count, not its end
	limit  *limit          // nil: no deadline
	made   atomic.Pointer[madeContext]
	ended  atomic.Bool // the load's function has returned
}

// limit is the hard deadline of a load.
type limit struct {
	deadline time.Time
	err      *TimeoutError
	timer    *time.Timer // answers the waiters; the standard context has one of its own
}

// judge returns the error of a load that returned err, and whether the load has timed out. A load that obeys the end of
// its context returns at the moment at which the timer answers its waiters: they get the same, whichever is quicker, and
// what the load itself says is not lost.
func (l *limit) judge(err error) (judged error, timedOut bool) {
	switch {
	case !errors.Is(err, context.DeadlineExceeded) || time.Now().Before(l.deadline):
		return err, false
	case errors.Is(l.err, err): // it says no more than that
		return l.err, true
	case errors.Is(err, l.err):
		return err, true
	default:
		return errors.Join(l.err, err), true
	}
}

type madeContext struct {
	context.Context
	cancel context.CancelCauseFunc
	stop   context.CancelFunc // stops the timer of the deadline, nil without one
}

func (c *loadContext) Deadline() (time.Time, bool) {
	if c.limit == nil {
		return time.Time{}, false
	}
	return c.limit.deadline, true
}

func (c *loadContext) Done() <-chan struct{} { return c.make().Done() }

func (c *loadContext) Err() error {
	if m := c.made.Load(); m != nil {
		return m.Err()
	}
	if c.ended.Load() {
		return c.make().Err()
	}
	return nil
}

func (c *loadContext) Value(key any) any {
	if m := c.made.Load(); m != nil {
		return m.Value(key)
	}
	return c.values.Value(key)
}

// String keeps a context that is printed from being read field by field while the load runs.
func (c *loadContext) String() string { return "joist/flight.load" }

func (c *loadContext) make() *madeContext {
	if m := c.made.Load(); m != nil {
		return m
	}
	m := &madeContext{}
	ctx := context.WithoutCancel(c.values)
	if c.limit != nil {
		ctx, m.stop = context.WithDeadlineCause(ctx, c.limit.deadline, c.limit.err)
	}
	m.Context, m.cancel = context.WithCancelCause(ctx)
	if !c.made.CompareAndSwap(nil, m) {
		m.release()
		return c.made.Load()
	}
	if c.ended.Load() { // asked for too late; else end finds what was made
		m.release()
	}
	return m
}

// cancel ends the context. Later ends change nothing.
func (c *loadContext) cancel(cause error) { c.make().cancel(cause) }

// end ends the context and frees what it holds: the load has returned. Either it sees what make has made, or make sees
// that the load has ended.
func (c *loadContext) end() {
	c.ended.Store(true)
	if m := c.made.Load(); m != nil {
		m.release()
	}
}

func (m *madeContext) release() {
	m.cancel(nil)
	if m.stop != nil {
		m.stop()
	}
}
