package pool_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/pool"
)

// model is what a pool with Reject is to do, one step at a time: a list of tasks, of which the first run.
type model struct {
	workers, queue int
	fair           bool
	turn           []string            // tenants with tasks in the queue, the next one first
	queued         map[string][]string // by tenant, oldest first
	running        map[string]bool
	ran, cancelled map[string]bool
	rejected       int
}

// places is how many more tasks may come.
func (m *model) places() int { return m.queue - m.waiting() + max(m.workers-len(m.running), 0) }

func (m *model) waiting() (n int) {
	for _, tasks := range m.queued {
		n += len(tasks)
	}
	return n
}

func (m *model) add(tenant, task string) bool {
	if !m.fair {
		tenant = ""
	}
	if held := len(m.queued[tenant]); m.places() <= 0 || m.fair && held >= m.places() {
		m.rejected++
		return false
	}
	if len(m.queued[tenant]) == 0 {
		m.turn = append(m.turn, tenant)
	}
	m.queued[tenant] = append(m.queued[tenant], task)
	m.dispatch()
	return true
}

// dispatch has as many tasks run as may.
func (m *model) dispatch() {
	for len(m.running) < m.workers && len(m.turn) > 0 {
		tenant := m.turn[0]
		task := m.queued[tenant][0]
		m.queued[tenant] = m.queued[tenant][1:]
		if m.turn = m.turn[1:]; len(m.queued[tenant]) > 0 {
			m.turn = append(m.turn, tenant)
		} else {
			delete(m.queued, tenant)
		}
		m.running[task] = true
	}
}

func (m *model) cancel(task string) bool {
	for tenant, tasks := range m.queued {
		for i, t := range tasks {
			if t != task {
				continue
			}
			m.queued[tenant] = append(tasks[:i:i], tasks[i+1:]...)
			if len(m.queued[tenant]) == 0 {
				delete(m.queued, tenant)
				for j, other := range m.turn {
					if other == tenant {
						m.turn = append(m.turn[:j:j], m.turn[j+1:]...)
					}
				}
			}
			m.cancelled[task] = true
			return true
		}
	}
	return false
}

// submitted is a task in the pool: it says when it runs, and runs until it is told to end.
type submitted struct {
	future *pool.Future[string]
	cancel context.CancelFunc
	end    chan error
}

// TestAPoolDoesWhatItsModelDoes gives a pool and its model the same calls, ends, cancellations and sizes, and compares what
// runs, what waits and what has become of all after each step.
func TestAPoolDoesWhatItsModelDoes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Custom(func(t *rapid.T) []int { return rapid.SliceOfN(rapid.IntRange(0, 1<<20), 1, 80).Draw(t, "steps") }).Draw(rt, "script")
		workers, queue := rapid.IntRange(1, 4).Draw(rt, "workers"), rapid.SampledFrom([]int{0, 1, 2, 5, 20}).Draw(rt, "queue")
		fair := rapid.Bool().Draw(rt, "fair")
		synctest.Test(t, func(t *testing.T) {
			if fault := follow(t, seed, workers, queue, fair); fault != "" {
				t.Log(fault)
				rt.Errorf("%s", fault)
			}
		})
	})
}

func follow(t *testing.T, steps []int, workers, queue int, fair bool) string {
	size := queue
	if queue == 0 {
		size = pool.NoQueue
	}
	p, err := pool.New(pool.Options{Workers: workers, Queue: size, WhenFull: pool.Reject, Fair: fair})
	if err != nil {
		return err.Error()
	}
	m := &model{
		workers: workers, queue: queue, fair: fair, queued: map[string][]string{},
		running: map[string]bool{}, ran: map[string]bool{}, cancelled: map[string]bool{},
	}
	tasks := map[string]*submitted{}
	var mu sync.Mutex
	running := map[string]bool{} // guarded by mu
	runs := func(name string) {
		mu.Lock()
		defer mu.Unlock()
		running[name] = true
	}
	endsRun := func(name string) {
		mu.Lock()
		defer mu.Unlock()
		delete(running, name)
	}
	var names []string
	defer func() {
		for _, s := range tasks {
			s.cancel()
			close(s.end)
		}
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	for i, step := range steps {
		arg := step / 8
		pick := func() string { return names[arg%len(names)] }
		switch op := step % 8; {
		case op < 4 || len(names) == 0: // a task comes
			name, tenant := fmt.Sprint("task ", i), fmt.Sprint(arg%3)
			ctx, cancel := context.WithCancel(pool.WithTenant(context.Background(), tenant))
			s := &submitted{cancel: cancel, end: make(chan error, 1)}
			s.future, err = pool.Submit(ctx, p, func(context.Context) (string, error) {
				runs(name)
				defer endsRun(name)
				err := <-s.end
				time.Sleep(time.Millisecond) // too long for workers to take several tasks at once
				return name, err
			})
			if took := m.add(tenant, name); took != (err == nil) || err != nil && !errors.Is(err, pool.ErrFull) {
				cancel()
				return fmt.Sprintf("step %d: %s: took %v, got %v", i, name, took, err)
			}
			if err != nil {
				cancel()
				break
			}
			tasks[name], names = s, append(names, name)
		case op < 6: // one ends
			if name := pick(); m.running[name] {
				tasks[name].end <- nil
				if v, err := tasks[name].future.Wait(context.Background()); v != name || err != nil {
					return fmt.Sprintf("step %d: %s returned %v, %v", i, name, v, err)
				}
				delete(m.running, name)
				m.ran[name] = true
				m.dispatch()
			}
		case op == 6: // one is cancelled in the queue
			if name := pick(); m.cancel(name) {
				tasks[name].cancel()
				if _, err := tasks[name].future.Wait(context.Background()); err != context.Canceled {
					return fmt.Sprintf("step %d: cancelled, %s returned %v", i, name, err)
				}
			}
		default: // the number of workers changes
			m.workers = 1 + arg%5
			if err := p.Resize(m.workers); err != nil {
				return err.Error()
			}
			m.dispatch()
		}
		synctest.Wait()
		s := p.Stats()
		mu.Lock()
		now := fmt.Sprint(running)
		mu.Unlock()
		switch {
		case now != fmt.Sprint(m.running):
			return fmt.Sprintf("step %d: %v run, want %v", i, now, m.running)
		case s.Running != len(m.running) || s.Queued != m.waiting() || s.Limit != m.workers || fair && s.Tenants != len(m.turn):
			return fmt.Sprintf("step %d: %+v, want %+v", i, s, m)
		case s.OK != int64(len(m.ran)) || s.Cancelled != int64(len(m.cancelled)) || s.Rejected != int64(m.rejected):
			return fmt.Sprintf("step %d: %+v, want %d ran, %d cancelled, %d rejected", i, s, len(m.ran), len(m.cancelled), m.rejected)
		}
	}
	return ""
}
