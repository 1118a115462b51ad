package pool

import (
	"context"
	"testing"
	"testing/synctest"
)

// dealt returns a pool with one worker that does not run, which was dealt the first three of five tasks.
func dealt(t *testing.T, o Options) (p *Pool, w *worker, ran *[]int) {
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ran = new([]int)
	w = &worker{roused: make(chan bool, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.join(w)
	for i := range 5 {
		p.enqueue(&p.only, goTask(func(context.Context) { *ran = append(*ran, i) }), nil)
	}
	p.deal(&w.hand, 3)
	return p, w, ran
}

func TestAHandThatItsWorkerDoesNotComeBackFromGoesBackIntoTheQueueInOrder(t *testing.T) {
	p, w, ran := dealt(t, Options{Workers: 1})
	w.draw().run(p)
	p.mu.Lock()
	p.audit()
	if w.left() != 2 || p.n != 2 {
		t.Errorf("after one look: %d in the hand, %d in the queue", w.left(), p.n)
	}
	p.audit()
	if w.left() != 0 || p.n != 4 || p.dealt != 0 {
		t.Errorf("after two looks: %d in the hand, %d in the queue, %d dealt", w.left(), p.n, p.dealt)
	}
	for i, kept := range w.tasks {
		if kept != nil {
			t.Errorf("the hand still holds task %d, which is not there", i)
		}
	}
	for p.n > 0 {
		p.take().run(p)
	}
	p.mu.Unlock()
	for i, v := range *ran {
		if i != v {
			t.Fatalf("they ran in the order %v", *ran)
		}
	}
	if w.draw() != nil {
		t.Error("a task is in the hand and in the queue")
	}
}

func TestATaskInAHandIsHadByItsWorkerOrByAnotherNotByBoth(t *testing.T) {
	for range 2000 {
		p, w, _ := dealt(t, Options{Workers: 1})
		drawn := make(chan int)
		go func() {
			n := 0
			for w.draw() != nil {
				n++
			}
			drawn <- n
		}()
		p.mu.Lock()
		p.recall()
		queued := p.n
		p.mu.Unlock()
		if n := <-drawn; n+queued != 5 {
			t.Fatalf("%d drawn and %d queued, of 5", n, queued)
		}
	}
}

func TestAWorkerLooksIntoTheHandsOfOthersBeforeItSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w, ran := dealt(t, Options{Workers: 2, IdleTimeout: KeepIdle})
		w.busy, p.busy = true, 1 // with a task that lasts
		p.mu.Lock()
		other := p.rouse()
		p.mu.Unlock()
		p.wake(other)
		synctest.Wait()
		if len(*ran) != 5 {
			t.Errorf("only %v ran, of 5", *ran)
		}
		other.roused <- false
	})
}

func TestPlacesOfTasksThatHaveLeftTheirHandAreFree(t *testing.T) {
	p, w, _ := dealt(t, Options{Workers: 1, Queue: 4})
	for w.draw() != nil { //nolint:revive // takes them all
	}
	if err := p.TryGo(t.Context(), func(context.Context) {}); err != nil {
		t.Error(err)
	}
}

func TestALaneClosesUpWhatHasLeftAndKeepsItsOrder(t *testing.T) {
	p, err := New(Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	var l lane
	var futures []*Future[int]
	for round := range 200 {
		for i := range 10 {
			f := newFuture(context.Background(), p, func(context.Context) (int, error) { return 10*round + i, nil })
			l.put(f, &f.place)
			futures = append(futures, f)
		}
		for i := range 9 { // all but the last
			if f := futures[10*round+i]; l.leave(&f.place) == nil || l.leave(&f.place) != nil {
				t.Fatal("a task does not leave, or leaves twice")
			}
		}
	}
	if len(l.slots) > 4*200*2 {
		t.Errorf("%d slots for 200 tasks", len(l.slots))
	}
	for round := range 200 {
		if got := l.take(); got != task(futures[10*round+9]) {
			t.Fatalf("task %d is not the next", round)
		}
	}
	if l.n != 0 || l.leave(&futures[9].place) != nil {
		t.Error("a task that was taken leaves")
	}
}
