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
	ctx     context.Context
	cancel  context.CancelFunc // nil without AttemptTimeout
	span    trace.Span         // nil for a first attempt
	begun   int64              // reading of the clock
	sampled bool               // its time counts even if it succeeds
}

// begin starts an attempt. The first runs in the caller's own context and span; the others are marked in their context,
// and each is in a span of its own. Where no span is recorded, an attempt stays in the caller's, so that the blocks inside
// can add their events to that.
func (c *call) begin(ctx context.Context) try {
	p := c.p
	c.attempts++
	t := try{ctx: ctx, begun: p.clock.Now(), sampled: true}
	if c.attempts == 1 {
		c.begun = t.begun
		t.sampled = c.number&sampleMask == 0
	} else {
		p.cell.Add(wordRetries, 1)
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

// finish takes the outcome of an attempt: its time counts if it failed, and 1 in so many successes.
func (c *call) finish(t *try, err error) {
	p := c.p
	if t.sampled || err != nil {
		p.typical.Add(time.Duration(p.clock.Now() - t.begun))
	}
	if t.sampled && err == nil && c.attempts == 1 {
		p.unwatch()
	}
	if t.span != nil && err != nil {
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
