package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const (
	clients  = 200
	servers  = 10
	capacity = float64(servers) * float64(time.Second) / float64(meanService) // requests per second, 1000

	slowFrom   = 30 * time.Second
	slowTo     = 40 * time.Second
	slowFactor = 5
)

// scenario is one simulation.
type scenario struct {
	policy policy
	load   float64 // calls per second, as a share of the capacity
	seed   uint64  // of arrivals, choices and service times
	length time.Duration
	dead   int // servers that are dead all the time; without any, all servers are slow for a while
}

// perSecond counts events by the second of the simulation in which they happen.
type perSecond struct {
	begun time.Time
	count []atomic.Int64
}

func newPerSecond(length time.Duration) *perSecond {
	return &perSecond{begun: time.Now(), count: make([]atomic.Int64, int(length/time.Second)+1)}
}

func (p *perSecond) add() { p.addAt(time.Now()) }

// addAt counts what happened at a moment; what happens after the end is not counted.
func (p *perSecond) addAt(at time.Time) {
	if second := int(at.Sub(p.begun) / time.Second); second < len(p.count)-1 {
		p.count[second].Add(1)
	}
}

func (p *perSecond) values() []float64 {
	v := make([]float64, len(p.count)-1)
	for i := range v {
		v[i] = float64(p.count[i].Load())
	}
	return v
}

// result is what came of a simulation, second by second.
type result struct {
	calls    []float64     // that began
	answered []float64     // of those, got an answer in the end
	attempts []float64     // that reached a server
	p99      time.Duration // of how long a call took
}

// simulate runs a scenario in virtual time: in the bubble that package synctest makes, package time tells and waits for the
// bubble's time, which moves on when all of its goroutines wait. The library takes its time from there, so what runs is
// the code that runs in production.
func simulate(t *testing.T, s scenario) (r result) {
	synctest.Test(t, func(*testing.T) { r = s.run() })
	return r
}

func (s scenario) run() result {
	begun := time.Now()
	slow := func() float64 {
		if at := time.Since(begun); s.dead == 0 && at >= slowFrom && at < slowTo {
			return slowFactor
		}
		return 1
	}
	offered, answered, attempts := newPerSecond(s.length), newPerSecond(s.length), newPerSecond(s.length)

	all := make([]*server, servers)
	var workers sync.WaitGroup
	for i := range all {
		all[i] = &server{
			queue:       make(chan *job, queueLength),
			dropExpired: s.policy.dropExpired,
			dead:        i < s.dead,
			slow:        slow,
			random:      rand.New(rand.NewPCG(s.seed, uint64(i))),
			received:    attempts,
		}
		workers.Go(all[i].work)
	}
	callers := make([]*client, clients)
	for i := range callers {
		callers[i] = newClient(s.policy, all)
	}

	// Calls arrive whether earlier ones are answered or not, as those of many users do: a Poisson process.
	var calls sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	random := rand.New(rand.NewPCG(s.seed, 1<<32))
	for next := time.Duration(0); ; {
		next += time.Duration(random.ExpFloat64() / (s.load * capacity) * float64(time.Second))
		if next >= s.length {
			break
		}
		time.Sleep(next - time.Since(begun))
		c, choices := callers[random.IntN(clients)], rand.New(rand.NewPCG(s.seed, random.Uint64()))
		calls.Go(func() {
			at := time.Now()
			offered.addAt(at)
			if err := c.call(context.Background(), choices); err == nil {
				answered.addAt(at)
			}
			mu.Lock()
			took = append(took, time.Since(at))
			mu.Unlock()
		})
	}
	calls.Wait()
	r := result{calls: offered.values(), answered: answered.values(), attempts: attempts.values()}
	for _, server := range all {
		close(server.queue)
	}
	workers.Wait()
	slices.Sort(took)
	r.p99 = took[len(took)*99/100]
	return r
}
