package balance

import (
	"context"

	"github.com/joist-go/joist/internal/outcome"
)

// Pick is an endpoint for one call, from [Balancer.Pick], [Call.Pick] or [Rendezvous.Pick]. Report how the call went with
// Done, once; a defer is a good place. A Pick that is never reported counts as a call in flight for ever.
//
// It is a value and allocates nothing. Do not copy it: go vet notices. Its methods are not safe for concurrent use with
// each other. Those of the zero Pick do nothing. It stays valid when the endpoint leaves meanwhile.
type Pick[E comparable] struct {
	_ noCopy
	// Endpoint is where the call should go.
	Endpoint E

	ctx   context.Context //nolint:containedctx // a Pick is one call's, as its ctx is
	e     *endpoint[E]    // nil when there is nothing to report any more
	b     *Balancer[E]    // nil in a pick of a Rendezvous
	r     *Rendezvous[E]  // nil in a pick of a Balancer
	began int64           // untimed if its time is not taken
	phase uint64          // of the endpoint when it was picked
}

// noCopy makes go vet notice copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Done reports what the call returned: nil is a success; what other errors are is explained at [Options].IsFailure and
// in the package comment. A second Done does nothing. Done does not block and allocates nothing.
func (p *Pick[E]) Done(err error) {
	if p.e == nil {
		return
	}
	o := outcome.Success
	if err != nil {
		o = outcome.Of(p.ctx, err, p.book().isFailure)
	}
	p.finish(o)
}

// abandon counts the call as failed unless something was reported: it panicked, or its goroutine exits.
func (p *Pick[E]) abandon() {
	if p.e != nil {
		p.finish(outcome.Failure)
	}
}

func (p *Pick[E]) book() *book {
	if p.b != nil {
		return &p.b.book
	}
	return &p.r.book
}

func (p *Pick[E]) finish(o outcome.Outcome) {
	e := p.e
	p.e = nil
	p.book().cell.Add(int(o), 1) // the words of the outcomes are their numbers
	if p.b != nil {
		p.b.finish(p.ctx, e, p.phase, p.began, o)
	} else {
		p.r.finish(e)
	}
}
