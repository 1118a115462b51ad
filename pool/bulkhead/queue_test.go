package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/pool/bulkhead"
)

func queueing(t testing.TB, limit int, o bulkhead.Options) *bulkhead.Bulkhead {
	t.Helper()
	o.Limit = bulkhead.Fixed(limit)
	b, err := bulkhead.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// line is a number of calls whose order is looked at. It is used in a bubble.
type line struct {
	b       *bulkhead.Bulkhead
	mu      sync.Mutex       // of the calls among each other
	began   []string         // in the order in which they got their slots
	results map[string]error // of those that are over
	work    time.Duration    // of each
	ended   map[string]time.Duration
	start   time.Time
}

func newLine(b *bulkhead.Bulkhead, work time.Duration) *line {
	return &line{b: b, results: map[string]error{}, work: work, ended: map[string]time.Duration{}, start: time.Now()}
}

// join has a call made, and returns when it has a slot, waits, or is over.
func (l *line) join(ctx context.Context, name string) {
	go func() {
		err := l.b.Do(ctx, func(context.Context) error {
			l.mu.Lock()
			l.began = append(l.began, name)
			l.mu.Unlock()
			time.Sleep(l.work)
			return nil
		})
		l.mu.Lock()
		defer l.mu.Unlock()
		l.results[name], l.ended[name] = err, time.Since(l.start)
	}()
	synctest.Wait()
}

// result returns how a call ended, if it did, and when.
func (l *line) result(name string) (err error, over bool, after time.Duration) { //nolint:staticcheck // in the order in which it is looked at
	l.mu.Lock()
	defer l.mu.Unlock()
	err, over = l.results[name]
	return err, over, l.ended[name]
}

// order returns who has begun, the first first.
func (l *line) order() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.began)
}

// pass lets time pass.
func (l *line) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func reason(err error) bulkhead.Reason {
	full, ok := errors.AsType[*bulkhead.FullError](err)
	if !ok {
		return 0
	}
	return full.Reason
}

func TestWaitersGetTheirSlotsInTheOrderInWhichTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(queueing(t, 1, bulkhead.Options{MaxQueue: 3, CoDelInterval: bulkhead.NoCoDel}), time.Second/10)
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			l.join(t.Context(), name)
		}
		if got := l.b.Stats(); got.Queued != 3 || got.InFlight != 1 || got.Rejected != 1 {
			t.Errorf("%+v", got)
		}
		err, _, _ := l.result("e")
		if reason(err) != bulkhead.ReasonFull || !errors.Is(err, bulkhead.ErrFull) || !refusal.Refused(err) {
			t.Errorf("past the queue: %v", err)
		}
		l.pass(time.Second)
		if !slices.Equal(l.order(), []string{"a", "b", "c", "d"}) {
			t.Errorf("began in the order %v", l.order())
		}
		if got := l.b.Stats(); got.Queued != 0 || got.InFlight != 0 || got.Accepted != 4 {
			t.Errorf("%+v", got)
		}
	})
}

func TestACallWaitsForMaxWaitAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, set := range []time.Duration{0, 3 * time.Second} {
			b := queueing(t, 1, bulkhead.Options{MaxQueue: 3, MaxWait: set, CoDelInterval: bulkhead.NoCoDel})
			want := set
			if set == 0 {
				want = bulkhead.DefaultMaxWait
			}
			h := hold(b)
			began := time.Now()
			err := b.Do(t.Context(), nothing)
			if reason(err) != bulkhead.ReasonWait || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("waited for %v, want %v", took, want)
			}
			if got := b.Stats(); got.TimedOut != 1 || got.Queued != 0 {
				t.Errorf("%+v", got)
			}
			_ = h.end()
		}
	})
}

func TestAnUnlimitedWaitIsAsLongAsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := queueing(t, 1, bulkhead.Options{MaxQueue: 3, MaxWait: bulkhead.Unlimited, CoDelInterval: bulkhead.NoCoDel})
		h := hold(b)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		err := b.Do(ctx, nothing)
		if reason(err) != bulkhead.ReasonDeadline || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, bulkhead.ErrFull) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != time.Hour {
			t.Errorf("waited for %v", took)
		}
		_ = h.end()
	})
}

func TestAWaitThatCannotFitTheDeadlineIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := queueing(t, 1, bulkhead.Options{MaxQueue: 3, CoDelInterval: bulkhead.NoCoDel})
		_ = b.Do(t.Context(), func(context.Context) error { time.Sleep(time.Second / 5); return nil })
		h := hold(b)
		for _, c := range []struct {
			fits time.Duration
			want bulkhead.Reason
			took time.Duration
		}{{time.Second/5 - 1, bulkhead.ReasonDeadline, 0}, {time.Second / 4, bulkhead.ReasonDeadline, time.Second / 4}} {
			ctx, cancel := context.WithTimeout(t.Context(), c.fits)
			began := time.Now()
			err := b.Do(ctx, nothing)
			if took := time.Since(began); reason(err) != c.want || !errors.Is(err, context.DeadlineExceeded) || took != c.took {
				t.Errorf("with %v left: %v after %v", c.fits, err, took)
			}
			cancel()
		}
		_ = h.end()
	})
}

func TestACancelledWaiterLeavesAtOnceAndLosesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(queueing(t, 1, bulkhead.Options{MaxQueue: 3}), 50*time.Millisecond)
		l.join(t.Context(), "a")
		ctx, cancel := context.WithCancel(t.Context())
		l.join(ctx, "b")
		l.join(t.Context(), "c")
		cancel()
		synctest.Wait()
		if err, over, _ := l.result("b"); !over || err != context.Canceled {
			t.Errorf("the cancelled one: %v, %v", err, over)
		}
		l.pass(time.Second)
		if !slices.Equal(l.order(), []string{"a", "c"}) {
			t.Errorf("began: %v", l.order())
		}
		if got := l.b.Stats(); got.Cancelled != 1 || got.InFlight != 0 || got.Queued != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// Both happen at the same moment, over and over: the slot is used or handed on, never lost.
func TestASlotThatComesToACallerWhoIsGoneIsHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := queueing(t, 1, bulkhead.Options{MaxQueue: 3, MaxWait: bulkhead.Unlimited})
		for range 500 {
			h := hold(b)
			ctx, cancel := context.WithCancel(t.Context())
			first, second := make(chan error, 1), make(chan error, 1)
			go func() { first <- b.Do(ctx, nothing) }()
			synctest.Wait()
			go func() { second <- b.Do(t.Context(), nothing) }()
			synctest.Wait()
			go cancel()
			_ = h.end()
			if err := <-second; err != nil {
				t.Fatal(err)
			}
			if err := <-first; err != nil && err != context.Canceled {
				t.Fatal(err)
			}
		}
		if got := b.Stats(); got.InFlight != 0 || got.Accepted+got.Cancelled != 1500 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAnOverloadedQueueServesTheNewestAndShedsWhoHasWaitedTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const work = 20 * time.Millisecond
		l := newLine(queueing(t, 1, bulkhead.Options{MaxQueue: 100, MaxWait: time.Second, CoDelTarget: 30 * time.Millisecond}), work)
		for i := range 50 { // two calls in the time of one
			l.join(t.Context(), fmt.Sprint(i))
			time.Sleep(work / 2)
		}
		l.pass(2 * time.Second)
		if !slices.Equal(l.order()[:5], []string{"0", "1", "2", "3", "4"}) {
			t.Errorf("before there is overload: %v", l.order()[:5])
		}
		// From then on each slot goes to one that has just come, and those that joined then are answered within their
		// target and the work, or refused by the target.
		shed := 0
		for i := 15; i < 50; i++ {
			name := fmt.Sprint(i)
			err, _, after := l.result(name)
			waited := after - time.Duration(i)*work/2
			switch {
			case err == nil && waited > 30*time.Millisecond+work && i < 45:
				t.Errorf("%s was answered after %v", name, waited)
			case reason(err) == bulkhead.ReasonShed:
				shed++
			case err != nil:
				t.Errorf("%s: %v", name, err)
			}
		}
		if shed < 10 || l.b.Stats().Shed < int64(shed) {
			t.Errorf("%d shed, of %+v", shed, l.b.Stats())
		}
	})
}

// Who joins an overloaded queue goes before those of its class, and its wait is estimated so.
func TestUnderOverloadAWaitIsEstimatedFromTheFrontOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const work = time.Second / 10
		l := newLine(queueing(t, 1, bulkhead.Options{MaxQueue: 10, MaxWait: time.Minute, CoDelTarget: time.Minute}), work)
		l.join(t.Context(), "first")
		l.pass(work) // it has told how long a call takes
		h := hold(l.b)
		for _, name := range []string{"a", "b", "c"} {
			l.join(t.Context(), name)
		}
		soon := func() context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), 3*work)
			t.Cleanup(cancel)
			return ctx
		}
		l.join(soon(), "early")
		if err, _, _ := l.result("early"); reason(err) != bulkhead.ReasonDeadline {
			t.Errorf("behind three calls: %v, want no wait for a fourth turn", err)
		}
		l.pass(bulkhead.DefaultCoDelInterval)
		l.join(soon(), "late")
		if err, over, _ := l.result("late"); over {
			t.Errorf("before three calls: %v, want a wait", err)
		}
		_ = h.end()
		l.pass(time.Minute)
		if order := l.order(); len(order) < 2 || order[1] != "late" {
			t.Errorf("began: %v", order)
		}
	})
}

// The next in turn is not shed by CoDel, and MaxWait holds for it to the nanosecond.
func TestTheNextInTurnOfAnOverloadedQueueWaitsForMaxWaitAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := queueing(t, 1, bulkhead.Options{
			MaxQueue: 3, MaxWait: 50 * time.Millisecond, CoDelTarget: 30 * time.Millisecond, CoDelInterval: 10 * time.Millisecond,
		})
		h := hold(b)
		go func() { _ = b.Do(t.Context(), nothing) }()
		time.Sleep(20 * time.Millisecond) // by then there is overload
		began := time.Now()
		err := b.Do(t.Context(), nothing)
		if took := time.Since(began); reason(err) != bulkhead.ReasonWait || took != 50*time.Millisecond {
			t.Errorf("%v after %v, want the end of MaxWait after 50ms", err, took)
		}
		_ = h.end()
	})
}

func TestNoSlotStaysFreeBecauseAllHaveWaitedTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A slot each second: every waiter is past the target long before.
		l := newLine(queueing(t, 1, bulkhead.Options{MaxQueue: 10, MaxWait: bulkhead.Unlimited}), time.Second)
		for i := range 5 {
			l.join(t.Context(), fmt.Sprint(i))
			time.Sleep(200 * time.Millisecond)
		}
		l.pass(10 * time.Second)
		if len(l.order()) < 3 {
			t.Errorf("only %v began", l.order())
		}
	})
}

func TestCallsOfMoreWorthComeFirstAndDisplaceThoseOfLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(queueing(t, 1, bulkhead.Options{MaxQueue: 3, CoDelInterval: bulkhead.NoCoDel}), 50*time.Millisecond)
		with := func(p bulkhead.Priority) context.Context { return bulkhead.WithPriority(t.Context(), p) }
		l.join(t.Context(), "first")
		l.join(with(bulkhead.Sheddable), "s1")
		l.join(with(bulkhead.Sheddable), "s2")
		l.join(t.Context(), "n1")
		l.join(with(bulkhead.Sheddable), "s3") // nobody is worth less
		l.join(with(bulkhead.Critical), "c1")  // in the place of s2
		l.join(t.Context(), "n2")              // in the place of s1
		l.join(with(99), "c2")                 // as Critical, in the place of n2
		l.pass(time.Second)
		if !slices.Equal(l.order(), []string{"first", "c1", "c2", "n1"}) {
			t.Errorf("began: %v", l.order())
		}
		for name, want := range map[string]bulkhead.Reason{
			"s1": bulkhead.ReasonShed, "s2": bulkhead.ReasonShed, "n2": bulkhead.ReasonShed, "s3": bulkhead.ReasonFull,
		} {
			if err, _, _ := l.result(name); reason(err) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestAPriorityIsTheInnermostAndWithinItsBounds(t *testing.T) {
	if got := bulkhead.PriorityOf(t.Context()); got != bulkhead.Normal {
		t.Errorf("of a context without: %v", got)
	}
	ctx := bulkhead.WithPriority(bulkhead.WithPriority(t.Context(), bulkhead.Critical), -99)
	if got := bulkhead.PriorityOf(ctx); got != bulkhead.Sheddable {
		t.Errorf("got %v", got)
	}
}

func TestTheHintGrowsWithTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(queueing(t, 2, bulkhead.Options{MaxQueue: 2}), time.Second/10)
		l.join(t.Context(), "a")
		l.pass(time.Second)
		for _, name := range []string{"b", "c", "d", "e", "f"} {
			l.join(t.Context(), name)
		}
		err, _, _ := l.result("f")
		hint, _ := refusal.RetryAfter(err)
		if hint != 200*time.Millisecond { // a call, and two more on two slots
			t.Errorf("hint %v of %v", hint, err)
		}
		l.pass(time.Second)
	})
}

func TestAFullQueueLosesItsNewestOfLessWorthAndItsOldestUnderOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(queueing(t, 1, bulkhead.Options{MaxQueue: 3, MaxWait: time.Minute, CoDelTarget: time.Minute}), time.Hour)
		critical := bulkhead.WithPriority(t.Context(), bulkhead.Critical)
		for _, name := range []string{"first", "a", "b", "c"} {
			l.join(t.Context(), name)
		}
		l.join(critical, "d") // in the place of c, who would have waited for the longest
		l.pass(bulkhead.DefaultCoDelInterval)
		l.join(t.Context(), "e") // in the place of a, who would now
		l.join(critical, "f")    // in the place of b
		for name, want := range map[string]bool{"c": true, "a": true, "b": true, "d": false, "e": false, "f": false} {
			if err, over, _ := l.result(name); over != want || over && reason(err) != bulkhead.ReasonShed {
				t.Errorf("%s: over %v with %v", name, over, err)
			}
		}
		l.pass(2 * time.Hour)
	})
}
