package pool

import (
	"context"
)

// Map has fn called for each of items on the workers of p, and returns the results in the order of the items.
//
// Each item is a task of its own, as of [Submit]: it counts in Stats, takes turns with other tasks, and gets a context that
// ends with ctx, with Close, and with the first item that fails. The first error ends the Map: items that have not begun
// are not run, the contexts of those that run are cancelled, and once they have returned, Map returns that error, and no
// results. A context.Canceled that the cancelling brings about never takes the place of the error that came first, nor that
// of one that comes later. If ctx ends, the error is ctx.Err(), or what an item
// made of it, or, where its deadline ends the wait for a place, a [*FullError] that has it as its Cause. Without items it
// returns at once, without an error.
//
// A panic in fn is raised again by Map, as a [*PanicError] that has the item's stack, once all running items have
// returned; if several panic, the first of them. An item that ends its goroutine by runtime.Goexit fails with [ErrGoexit].
// Map never leaves a task behind.
//
// Where the pool is full, Map waits for places, until ctx ends; with [Reject] it returns a [*FullError] if there is none for
// the first item. With [CallerRuns], and inside a task of the same pool whatever the policy, items that find no place run
// beside the workers, one at a time, each in a goroutine of its own. So Maps may be nested, on a pool of one worker too, if
// the inner one gets the ctx of the task that it is in.
//
// Map blocks until all is done. It allocates the results, and a Future and two functions for each item.
func Map[T, R any](ctx context.Context, p *Pool, items []T, fn func(context.Context, T) (R, error)) ([]R, error) {
	results := make([]R, len(items))
	g := newGroup(ctx, p)
	defer g.end()
	for i, item := range items {
		if !g.submit(func(ctx context.Context) (err error) {
			results[i], err = fn(ctx, item)
			return err
		}) {
			break
		}
	}
	if err := g.result(); err != nil {
		return nil, err
	}
	return results, nil
}

// ForEach is [Map] for functions without a result.
func ForEach[T any](ctx context.Context, p *Pool, items []T, fn func(context.Context, T) error) error {
	g := newGroup(ctx, p)
	defer g.end()
	for _, item := range items {
		if !g.submit(func(ctx context.Context) error { return fn(ctx, item) }) {
			break
		}
	}
	return g.result()
}
