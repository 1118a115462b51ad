package retry_test

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/retry"
)

// The experiment of Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: so many clients contend for one
// row with optimistic concurrency control. A client reads the row's version and writes it back; the write succeeds if
// nobody has written in between, and otherwise the client waits and begins again. A message takes |N(10, 2)| ms on its way.
// Counted are the writes that it takes until all have succeeded, and the time. Time is virtual, the waits are the
// package's own.

// message is one on its way, to be delivered at a time in ms.
type message struct {
	at      float64
	deliver func(now float64)
}

type network struct {
	queue []message
	rand  *rand.Rand
}

func (n *network) Len() int           { return len(n.queue) }
func (n *network) Less(i, j int) bool { return n.queue[i].at < n.queue[j].at }
func (n *network) Swap(i, j int)      { n.queue[i], n.queue[j] = n.queue[j], n.queue[i] }
func (n *network) Push(m any)         { n.queue = append(n.queue, m.(message)) } //nolint:forcetypeassert // heap's
func (n *network) Pop() any {
	last := n.queue[len(n.queue)-1]
	n.queue = n.queue[:len(n.queue)-1]
	return last
}

// send delivers after the given wait and the time on the way.
func (n *network) send(at, wait float64, deliver func(now float64)) {
	heap.Push(n, message{at + wait + math.Abs(10+2*n.rand.NormFloat64()), deliver})
}

// contend runs the experiment once and returns the writes and the time in ms.
func contend(clients int, backoff retry.Backoff, seed uint64) (writes int, took float64) {
	n := &network{rand: rand.New(rand.NewPCG(seed, 0))}
	version := 0
	var begin func(now, wait float64, attempt int, previous time.Duration)
	begin = func(now, wait float64, attempt int, previous time.Duration) {
		n.send(now, wait, func(now float64) { // the read arrives
			read := version
			n.send(now, 0, func(now float64) { // its answer
				n.send(now, 0, func(now float64) { // the write
					writes++
					if version == read {
						version++
						took = now
						return
					}
					n.send(now, 0, func(now float64) { // its refusal
						d := backoff.Delay(attempt, previous)
						begin(now, float64(d)/float64(time.Millisecond), attempt+1, d)
					})
				})
			})
		})
	}
	for range clients {
		begin(0, 0, 1, 0)
	}
	for n.Len() > 0 {
		m := heap.Pop(n).(message) //nolint:forcetypeassert // heap's
		m.deliver(m.at)
	}
	return writes, took
}

func TestUnderContentionFullJitterHalvesTheCalls(t *testing.T) {
	const runs = 15
	exponential := retry.Exponential(5*time.Millisecond, 2*time.Second)
	kinds := []struct {
		name    string
		backoff retry.Backoff
	}{
		{"no jitter", exponential.WithJitter(retry.None)},
		{"equal", exponential.WithJitter(retry.Equal)},
		{"full", exponential},
		{"decorrelated", retry.Decorrelated(5*time.Millisecond, 2*time.Second)},
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%8s", "clients")
	for _, kind := range kinds {
		fmt.Fprintf(&table, "%22s", kind.name)
	}
	for _, clients := range []int{10, 25, 50, 100, 200} {
		writes := make([]float64, len(kinds))
		fmt.Fprintf(&table, "\n%8d", clients)
		for i, kind := range kinds {
			var took float64
			for seed := range uint64(runs) {
				w, ms := contend(clients, kind.backoff, seed)
				writes[i] += float64(w) / runs
				took += ms / runs
			}
			fmt.Fprintf(&table, "%12.0f, %6.0f ms", writes[i], took)
		}
		if none, full := writes[0], writes[2]; clients >= 100 && full > none/2 {
			t.Errorf("%d clients: %.0f calls with full jitter and %.0f without, want at most half", clients, full, none)
		}
	}
	t.Logf("calls until all clients have written once, and the time; means of %d runs\n%s", runs, table.String())
}
