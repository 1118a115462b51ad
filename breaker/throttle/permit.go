package throttle

import (
	"context"

	"github.com/joist-go/joist/internal/outcome"
)

// Permit is leave to make one call, from [Throttle.Allow]. Report how the call went with Done, once; a defer is a good
// place. A Permit that is never reported counts nowhere.
//
// It is a value and allocates nothing. Do not copy it: go vet notices. Its methods are not safe for concurrent use with
// each other. Those of the zero Permit do nothing.
type Permit struct {
	_   noCopy
	t   *Throttle // nil when there is nothing to report any more
	ctx context.Context
}

// noCopy makes go vet notice copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Done reports what the call returned: nil is accepted; what other errors are is explained at [Options].IsRejection and
// in the package comment. A second Done does nothing. Done does not block and allocates nothing.
func (p *Permit) Done(err error) {
	if t := p.t; t != nil {
		judged := outcome.Success
		if err != nil {
			judged = outcome.Of(p.ctx, err, t.isRejection)
		}
		p.t = nil
		t.finish(judged)
	}
}

// abandon counts the call as rejected unless something was reported: it panicked, or its goroutine exits.
func (p *Permit) abandon() {
	if t := p.t; t != nil {
		p.t = nil
		t.finish(outcome.Failure)
	}
}
