package pool

import (
	"context"
	"sync"
	"time"
)

// insideKey is the key by which a context tells that it is that of a task of the pool, or comes from one. Each pool has its
// own: a task of a second pool that a task of the first waits for is inside both.
type insideKey struct{ pool *Pool }

// lends tells whether one who waits with ctx has a task that it waits for run beside the workers: because it is a task
// itself and keeps a worker waiting, or because callers run tasks.
func (p *Pool) lends(ctx context.Context) bool {
	return p.policy == CallerRuns || p.inside(ctx)
}

// inside tells whether ctx is that of a task of p, or comes from it.
func (p *Pool) inside(ctx context.Context) bool {
	return ctx.Value(insideKey{p}) != nil
}

// detached is the context of a task of Go: the values of the caller's, the end of the pool's. It holds the pool and not
// the pool's context, which is a word longer: each task of Go allocates one.
type detached struct {
	pool   *Pool
	values context.Context
}

func (d *detached) Deadline() (time.Time, bool) { return time.Time{}, false }
func (d *detached) Done() <-chan struct{}       { return d.pool.ctx.Done() }
func (d *detached) Err() error                  { return d.pool.ctx.Err() }

// Value asks the pool's context first. It answers only its insideKey, and the key by which package context finds the context
// that cancels another: the answer of the caller's would tie the task to the caller's end, and give its cause to
// context.Cause.
func (d *detached) Value(key any) any {
	if v := d.pool.ctx.Value(key); v != nil {
		return v
	}
	return d.values.Value(key)
}

// joined is the context of a task of Submit: the caller's, which ends with the pool's and with the task as well.
//
// Joining ends takes a context, a registration with both parents and their removal, which is more than a small task
// costs. Most tasks only hand their context on or look at Err and Value, so joined asks both parents until somebody
// wants Done.
type joined struct {
	caller context.Context
	pool   *Pool

	mu     sync.Mutex
	merged context.Context // made by the first Done, or by the end of the task
	detach func() bool     // stops the pool's end from reaching merged
	cancel context.CancelCauseFunc
}

// ended is the merged context of a task that has ended and never wanted one.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Deadline is the caller's: a pool has none.
func (j *joined) Deadline() (time.Time, bool) { return j.caller.Deadline() }

func (j *joined) Done() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.merged == nil {
		merged, cancel := context.WithCancelCause(j.caller)
		j.merged, j.cancel = merged, cancel
		j.detach = context.AfterFunc(j.pool.ctx, func() { cancel(context.Cause(j.pool.ctx)) })
	}
	return j.merged.Done()
}

func (j *joined) Err() error {
	if merged := j.current(); merged != nil {
		return merged.Err()
	}
	if err := j.caller.Err(); err != nil {
		return err
	}
	return j.pool.ctx.Err()
}

// Value is the caller's, but for the key by which package context finds the context that cancels: see detached.
func (j *joined) Value(key any) any {
	fromPool := j.pool.ctx.Value(key)
	switch {
	case fromPool == nil:
		return j.caller.Value(key)
	case key == insideKey{j.pool}:
		return fromPool
	}
	if merged := j.current(); merged != nil {
		return merged.Value(key)
	}
	if j.caller.Err() == nil && j.pool.ctx.Err() != nil {
		return fromPool
	}
	return j.caller.Value(key)
}

func (j *joined) current() context.Context {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.merged
}

// end ends the context once the task has, and lets go of both parents.
func (j *joined) end() {
	j.mu.Lock()
	detach, cancel := j.detach, j.cancel
	if j.merged == nil {
		j.merged = ended
	}
	j.mu.Unlock()
	if cancel != nil {
		detach()
		cancel(context.Canceled)
	}
}
