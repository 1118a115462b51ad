package breaker

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/joist-go/joist/internal/telemetry"
)

// maxPending is how many transitions wait for a listener that does not return.
const maxPending = 64

// news are transitions on their way to the caller's span and the listener. They are guarded by the breaker's mu, and a
// breaker that has none keeps none.
type news struct {
	made    []Transition // in this critical section
	pending []Transition // not yet told to the listener
	telling bool         // a goroutine tells
}

// report notes a transition. The caller holds mu.
func (b *Breaker) report(t Transition) {
	if b.news == nil {
		b.news = new(news)
	}
	b.news.made = append(b.news.made, t)
}

// queue puts what this critical section made where the listener is told from, and returns it. The caller holds mu.
func (b *Breaker) queue() []Transition {
	n := b.news
	if n == nil {
		return nil
	}
	made := n.made
	n.made = nil
	if b.notify != nil {
		n.pending = append(n.pending, made...)
		n.pending = n.pending[max(len(n.pending)-maxPending, 0):]
	}
	b.forget()
	return made
}

// forget lets go of news that there are none of. The caller holds mu.
func (b *Breaker) forget() {
	if n := b.news; n != nil && len(n.pending) == 0 && !n.telling {
		b.news = nil
	}
}

// leave ends a critical section: it releases mu, and tells of what happened in it.
func (b *Breaker) leave(ctx context.Context) {
	made := b.queue()
	waiting := b.news != nil && !b.news.telling
	b.mu.Unlock()
	if len(made) > 0 && trace.SpanFromContext(ctx).IsRecording() {
		for _, t := range made {
			telemetry.Event(ctx, "joist.breaker.transition", t.Name, fromKey.String(t.From.String()), toKey.String(t.To.String()))
		}
	}
	if waiting {
		b.tell()
	}
}

// tell hands the waiting transitions to the listener in order. One goroutine tells at a time, so a listener that calls
// the breaker, and brings about another change, is told of that when it has returned.
func (b *Breaker) tell() {
	returned := false
	defer func() {
		if !returned { // the listener panicked or exited the goroutine: the others wait still
			b.mu.Lock()
			b.news.telling = false
			b.mu.Unlock()
			b.tell()
		}
	}()
	b.mu.Lock()
	for b.news != nil && !b.news.telling && len(b.news.pending) > 0 {
		n := b.news
		t := n.pending[0]
		n.pending = n.pending[1:]
		n.telling = true
		b.mu.Unlock()
		b.notify(t)
		b.mu.Lock()
		n.telling = false
	}
	b.forget()
	b.mu.Unlock()
	returned = true
}
