package bulkhead_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/pool/bulkhead"
)

// visit is a call of the model test.
type visit struct {
	class   bulkhead.Priority
	cancel  context.CancelFunc
	release chan struct{}
	running bool
	over    bool
	err     error
}

// model is what a bulkhead with a queue is, first in, first out within a class: a set of calls that run and a list of
// those that wait.
type model struct {
	b                *bulkhead.Bulkhead
	room             int
	running, waiting []*visit
	want             bulkhead.Stats
	fault            string
}

type step struct {
	do string
	n  int // which call, which class, which limit
}

func steps() *rapid.Generator[[]step] {
	kind := rapid.SampledFrom([]string{"arrive", "arrive", "leave", "cancel", "resize"})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{kind.Draw(t, "do"), rapid.IntRange(0, 11).Draw(t, "n")}
	}), 1, 60)
}

func TestABulkheadWithAQueueIsItsModelInEveryOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 3).Draw(rt, "limit")
		m := &model{room: rapid.IntRange(1, 4).Draw(rt, "queue")}
		all := steps().Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			m.b = queueing(t, limit, bulkhead.Options{
				MaxQueue: m.room, MaxWait: bulkhead.Unlimited, CoDelInterval: bulkhead.NoCoDel,
			})
			m.want.Limit = limit
			m.run(all)
		})
		if m.fault != "" {
			rt.Fatal(m.fault)
		}
	})
}

func (m *model) fail(format string, args ...any) {
	if m.fault == "" {
		m.fault = fmt.Sprintf(format, args...)
	}
}

func (m *model) run(all []step) {
	for i, s := range all {
		switch s.do {
		case "arrive":
			m.arrive(bulkhead.Priority(s.n%3 - 1))
		case "leave":
			if n := len(m.running); n > 0 {
				close(m.running[s.n%n].release)
				m.running = slices.Delete(m.running, s.n%n, s.n%n+1)
			}
		case "cancel":
			if n := len(m.waiting); n > 0 {
				m.waiting[s.n%n].cancel()
				m.waiting = slices.Delete(m.waiting, s.n%n, s.n%n+1)
				m.want.Cancelled++
			}
		case "resize":
			m.want.Limit = s.n%4 + 1
			if err := m.b.SetLimit(m.want.Limit); err != nil {
				m.fail("%v", err)
			}
		}
		for len(m.running) < m.want.Limit && len(m.waiting) > 0 {
			m.running, m.waiting = append(m.running, m.waiting[0]), m.waiting[1:]
			m.want.Accepted++
		}
		synctest.Wait()
		m.compare(i, s)
	}
	for _, v := range m.waiting {
		v.cancel()
	}
	for _, v := range m.running {
		close(v.release)
	}
	synctest.Wait()
}

func (m *model) arrive(class bulkhead.Priority) {
	ctx, cancel := context.WithCancel(context.Background())
	v := &visit{class: class, cancel: cancel, release: make(chan struct{})}
	go func() {
		v.err = m.b.Do(bulkhead.WithPriority(ctx, v.class), func(context.Context) error {
			v.running = true
			<-v.release
			return nil
		})
		v.over = true
	}()
	synctest.Wait()
	place := slices.IndexFunc(m.waiting, func(w *visit) bool { return w.class < class })
	if place < 0 {
		place = len(m.waiting)
	}
	if len(m.running) >= m.want.Limit && len(m.waiting) == m.room {
		if place == len(m.waiting) { // nobody is worth less
			m.want.Rejected++
			if reason(v.err) != bulkhead.ReasonFull {
				m.fail("not refused: %v", v.err)
			}
			return
		}
		last := m.waiting[m.room-1] // the lowest class loses its newest
		m.waiting = m.waiting[:m.room-1]
		m.want.Shed++
		if reason(last.err) != bulkhead.ReasonShed {
			m.fail("not displaced: %v", last.err)
		}
	}
	m.waiting = slices.Insert(m.waiting, place, v)
}

func (m *model) compare(i int, s step) {
	for _, v := range m.running {
		if !v.running || v.over {
			m.fail("step %d %+v: a call with a slot does not run", i, s)
		}
	}
	for _, v := range m.waiting {
		if v.running || v.over {
			m.fail("step %d %+v: a waiter runs or is gone: %v", i, s, v.err)
		}
	}
	want := m.want
	want.InFlight, want.Queued = len(m.running), len(m.waiting)
	got := m.b.Stats()
	got.Typical = 0
	if got != want {
		m.fail("step %d %+v: got %+v, want %+v", i, s, got, want)
	}
}
