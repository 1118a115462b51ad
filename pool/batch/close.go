package batch

import (
	"context"
	"fmt"
)

// Close refuses new calls from now on, has the open batch go, and waits until all batches have run. It returns nil then.
//
// When ctx ends before that, Close cancels the contexts of the batches, with [ErrClosed] as their [context.Cause], waits
// no longer, and returns an error that tells how many there are, in which errors.Is finds ctx.Err(). Batches that have
// not begun then begin with a context that has ended; who waits gets what Run makes of it. No caller is left without an
// answer.
//
// Close may be called again and from several goroutines: each call waits as its own ctx allows. A Run that calls Close
// waits for itself until ctx ends.
func (b *Batcher[K, V]) Close(ctx context.Context) error {
	b.shut()
	select {
	case <-b.idle:
		return nil
	default:
	}
	select {
	case <-b.idle:
		return nil
	case <-ctx.Done():
	}
	b.cancel(ErrClosed)
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.running + len(b.full)
	if b.open != nil {
		left++
	}
	if left == 0 {
		return nil
	}
	return fmt.Errorf("joist/batch: close of %q: %d batches cancelled and still running: %w", b.name, left, ctx.Err())
}

// shut closes the batcher to calls and makes the open batch due.
func (b *Batcher[K, V]) shut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	if b.open != nil {
		b.ripen(b.open)
	}
	b.drained()
}

// drained closes idle when the last batch has run after Close. The caller holds mu.
func (b *Batcher[K, V]) drained() {
	if b.closed && b.running == 0 && b.open == nil && len(b.full) == 0 {
		close(b.idle)
	}
}
