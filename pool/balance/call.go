package balance

import (
	"context"
	"sync/atomic"
)

// MaxTried is how many endpoints a [Call] remembers.
const MaxTried = 8

// Call is the attempts of one call: each goes to an endpoint that none before it was sent to, while there is one. It is
// made with [Balancer.Call], for one call, and stands outside of the retry:
//
//	call := bl.Call()
//	err := policy.Do(ctx, func(ctx context.Context) error {
//		return call.Do(ctx, send)
//	})
//
// It remembers its last 8 endpoints. It is safe for concurrent use, as by the attempts of a hedge, of which two that begin
// at the same moment may go to the same endpoint. Do not copy it: go vet notices. It allocates nothing by itself.
type Call[E comparable] struct {
	_     noCopy
	b     *Balancer[E]
	n     atomic.Uint32           // picks so far
	tried [MaxTried]atomic.Uint32 // numbers of endpoints: a pointer here would put the Call on the heap
}

// Call returns a Call that has tried nothing yet.
func (b *Balancer[E]) Call() Call[E] { return Call[E]{b: b} }

// Do is [Balancer.Do] for the next attempt of the call.
func (c *Call[E]) Do(ctx context.Context, fn func(context.Context, E) error) error {
	var p Pick[E]
	if err := c.pick(ctx, &p); err != nil {
		return err
	}
	defer p.abandon()
	err := fn(ctx, p.Endpoint)
	p.Done(err)
	return c.b.elsewhere(err, c.Tried())
}

// Pick is [Balancer.Pick] for the next attempt of the call.
func (c *Call[E]) Pick(ctx context.Context) (p Pick[E], err error) {
	err = c.pick(ctx, &p)
	return // p is not to be copied
}

func (c *Call[E]) pick(ctx context.Context, p *Pick[E]) error {
	var x exclusion[E]
	for i := range min(c.n.Load(), MaxTried) {
		x.numbers[i] = c.tried[i].Load() // 0, which nobody has: an attempt that begins right now
		x.count++
	}
	if err := c.b.pick(ctx, &x, p); err != nil {
		return err
	}
	c.tried[(c.n.Add(1)-1)%MaxTried].Store(p.e.number)
	return nil
}

// Tried returns how many endpoints were picked so far. One that was picked twice, because there was no other, counts
// twice.
func (c *Call[E]) Tried() int { return int(c.n.Load()) }
