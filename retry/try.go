package retry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/attempt"
	"github.com/joist-go/joist/internal/telemetry"
)

// try is one attempt under way: what it is given, and what must be given back however it ends.
type try struct {
	ctx    context.Context
	cancel context.CancelFunc // nil without AttemptTimeout
	span   trace.Span         // nil for a first attempt
	begun  int64              // reading of the clock
}

// begin starts an attempt. The first runs in the caller's own context and span; the others are marked in their context,
// and each is in a span of its own. Where no span is recorded, an attempt stays in the caller's, so that the blocks inside
// can add their events to that.
func (c *call) begin(ctx context.Context) try {
	p := c.p
	c.attempts++
	t := try{ctx: ctx, begun: p.clock.Now()}
	if c.attempts == 1 {
		c.begun = t.begun
		p.budget.began()
	} else {
		p.cell.Add(c.word(), 1)
		t.ctx = attempt.With(ctx, c.attempts)
		spanCtx, span := p.tracer.Start(t.ctx, "retry.attempt",
			trace.WithAttributes(telemetry.NameKey.String(p.name), attemptKey.Int(c.attempts)))
		if t.span = span; span.IsRecording() {
			t.ctx = spanCtx
		}
	}
	if p.timeout > 0 {
		t.ctx, t.cancel = context.WithTimeout(t.ctx, p.timeout)
	}
	return t
}

// word counts the attempts of c after its first.
func (c *call) word() int {
	if c.hedged {
		return wordHedges
	}
	return wordRetries
}

// finish takes the outcome of an attempt. Of c it reads only what never changes: hedges finish side by side.
func (c *call) finish(t *try, err error) {
	p := c.p
	if t.span == nil {
		p.took(t.begun, c.number, err)
		return
	}
	if !cutShort(err) {
		p.typical.Add(time.Duration(p.clock.Now() - t.begun))
	}
	if err != nil {
		t.span.SetStatus(codes.Error, "")
	}
}

// release gives back what an attempt has. It is deferred, for work that panics or ends its goroutine.
func (t *try) release() {
	if t.cancel != nil {
		t.cancel()
	}
	if t.span != nil {
		t.span.End()
	}
}
