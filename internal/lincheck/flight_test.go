package lincheck

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/joist-go/joist/pool/flight"
)

const (
	clients   = 8 // at most: a state has a bit for each
	keys      = 2
	calls     = 24 // of each client in one history
	histories = 100
	patience  = time.Minute // of the checker, for one history
)

// clock numbers moments in the order in which they happen: no two are the same.
type clock struct{ now atomic.Int64 }

func (c *clock) tick() int64 { return c.now.Add(1) }

// oneCall is what is known of one call. Led and the times of its load are written by the load.
type oneCall struct {
	client, key                 int
	called, cancelled, returned int64
	forget                      bool
	answer                      int // the load that answered, 0: the call left

	led          int // the load that it began, or 0
	began, ended int64
}

// client makes its calls: with and without a context that can be cancelled, some that leave at any moment, and Forget
// now and then. A load takes a few turns, and fewer when it is cancelled, which it answers like any other.
func client(g *flight.Group[int, int], time *clock, loads *atomic.Int64, id int, seed uint64) []*oneCall {
	random := rand.New(rand.NewPCG(seed, uint64(id)))
	var made []*oneCall
	for range calls {
		c := &oneCall{client: id, key: random.IntN(keys)}
		made = append(made, c)
		kind, turns, patience := random.IntN(10), random.IntN(20), random.IntN(20)
		if kind == 0 {
			c.forget, c.called = true, time.tick()
			g.Forget(c.key)
			c.returned = time.tick()
			continue
		}
		ctx, cancel := context.Background(), func() {}
		if kind > 2 {
			ctx, cancel = context.WithCancel(ctx)
		}
		gone := make(chan struct{})
		leaves := kind > 5
		go func() {
			defer close(gone)
			if leaves {
				for range patience {
					runtime.Gosched()
				}
				atomic.StoreInt64(&c.cancelled, time.tick())
				cancel()
			}
		}()
		c.called = time.tick()
		answer, err := g.Do(ctx, c.key, func(ctx context.Context) (int, error) {
			c.led = int(loads.Add(1))
			c.began = time.tick()
			for i := 0; i < turns && ctx.Err() == nil; i++ {
				runtime.Gosched()
			}
			c.ended = time.tick()
			return c.led, nil
		})
		c.returned = time.tick()
		<-gone
		cancel()
		if c.answer = answer; err != nil && !errors.Is(err, context.Canceled) {
			panic(err)
		}
	}
	return made
}

// operations makes a history of calls.
func operations(all []*oneCall) []porcupine.Operation {
	answered := map[int]int64{} // when a load's answer was first out
	for _, c := range all {
		if first, ok := answered[c.answer]; !ok || c.returned < first {
			answered[c.answer] = c.returned
		}
	}
	var history []porcupine.Operation
	add := func(c *oneCall, m moment, load int, from, to int64) {
		history = append(history, porcupine.Operation{
			ClientId: c.client, Input: input{c.key, m, c.client, load}, Call: from, Return: to,
		})
	}
	for _, c := range all {
		switch {
		case c.forget:
			add(c, forget, 0, c.called, c.returned)
			continue
		case c.led != 0:
			add(c, start, c.led, c.called, min(c.began, c.returned))
			if first, ok := answered[c.led]; ok {
				add(c, end, c.led, c.ended, first)
			} else {
				add(c, end, c.led, c.ended, never)
			}
		case c.answer != 0:
			add(c, join, c.answer, c.called, c.returned)
		default:
			add(c, enter, 0, c.called, c.returned)
		}
		if c.answer == 0 {
			add(c, leave, 0, c.cancelled, c.returned)
		}
	}
	return history
}

func TestAFlightIsLinearizable(t *testing.T) {
	for name, o := range map[string]flight.Options{
		"by default": {Timeout: flight.NoTimeout},
		"detached":   {Detached: true},
	} {
		t.Run(name, func(t *testing.T) {
			model := flightModel(o.Detached)
			joins, leaves := 0, 0
			for seed := range uint64(histories) {
				g, err := flight.New[int, int](o)
				if err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				var time clock
				var loads atomic.Int64
				var made [clients][]*oneCall
				for id := range clients {
					wg.Go(func() { made[id] = client(g, &time, &loads, id, seed) })
				}
				wg.Wait()
				if err := g.Close(t.Context()); err != nil { // loads that were left have ended, too
					t.Fatal(err)
				}
				var all []*oneCall
				for _, m := range made {
					all = append(all, m...)
				}
				history := operations(all)
				for _, op := range history {
					switch op.Input.(input).moment {
					case join:
						joins++
					case leave:
						leaves++
					}
				}
				if result := porcupine.CheckOperationsTimeout(model, history, patience); result != porcupine.Ok {
					t.Fatalf("history %d: %s", seed, result)
				}
			}
			if joins < histories || leaves < histories {
				t.Errorf("%d calls joined and %d left in %d histories: they show little", joins, leaves, histories)
			}
		})
	}
}

// A model that lets everything pass shows nothing.
func TestTheModelOfAFlightRejectsWhatAFlightMustNotDo(t *testing.T) {
	at := func(from, to int64, m moment, client, load int) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: input{0, m, client, load}, Call: from, Return: to}
	}
	for _, tt := range []struct {
		name     string
		history  []porcupine.Operation
		detached bool
		want     porcupine.CheckResult
	}{
		{name: "one load, one who joins", want: porcupine.Ok, history: []porcupine.Operation{
			at(1, 2, start, 0, 1), at(3, 9, join, 1, 1), at(5, 8, end, 0, 1),
		}},
		{name: "an answer from the past", want: porcupine.Illegal, history: []porcupine.Operation{
			at(1, 2, start, 0, 1), at(3, 4, end, 0, 1), at(5, 6, join, 1, 1),
		}},
		{name: "two loads at once", want: porcupine.Illegal, history: []porcupine.Operation{
			at(1, 2, start, 0, 1), at(3, 4, start, 1, 2), at(5, 6, end, 0, 1), at(7, 8, end, 1, 2),
		}},
		{name: "two loads, the first forgotten", want: porcupine.Ok, history: []porcupine.Operation{
			at(1, 2, start, 0, 1), at(3, 4, forget, 1, 0), at(5, 6, start, 1, 2), at(7, 8, end, 0, 1), at(9, 10, end, 1, 2),
		}},
		{name: "a forgotten load is joined", want: porcupine.Illegal, history: []porcupine.Operation{
			at(1, 2, start, 0, 1), at(3, 4, forget, 1, 0), at(5, 10, join, 1, 1), at(7, 8, end, 0, 1),
		}},
		{name: "a load beside a dying one", want: porcupine.Ok, history: []porcupine.Operation{
			at(1, 2, start, 0, 1), at(3, 4, leave, 0, 0), at(5, 6, start, 1, 2), at(7, 8, end, 0, 1), at(9, 10, end, 1, 2),
		}},
		{name: "a dying load is joined", want: porcupine.Illegal, history: []porcupine.Operation{
			at(1, 2, start, 0, 1), at(3, 4, leave, 0, 0), at(5, 10, join, 1, 1), at(7, 8, end, 0, 1),
		}},
		{name: "a detached load is joined after all have left", want: porcupine.Ok, detached: true, history: []porcupine.Operation{
			at(1, 2, start, 0, 1), at(3, 4, leave, 0, 0), at(5, 10, join, 1, 1), at(7, 8, end, 0, 1),
		}},
		{name: "a load dies though somebody waits", want: porcupine.Illegal, history: []porcupine.Operation{
			at(1, 2, start, 0, 1), at(3, 4, join, 1, 1), at(5, 6, leave, 0, 0), at(7, 8, start, 2, 2), at(9, 10, end, 0, 1), at(11, 12, end, 2, 2),
		}},
		{name: "one who left was in time to keep the load", want: porcupine.Ok, history: []porcupine.Operation{
			at(1, 2, start, 0, 1), at(3, 10, enter, 1, 0), at(5, 6, leave, 0, 0), at(7, 8, join, 2, 1), at(9, 10, leave, 1, 0), at(11, 12, end, 0, 1),
		}},
		{name: "one leaves before it has entered", want: porcupine.Illegal, history: []porcupine.Operation{
			at(1, 2, leave, 1, 0), at(3, 4, enter, 1, 0),
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := porcupine.CheckOperationsTimeout(flightModel(tt.detached), tt.history, patience); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
