// Package pool does work on a bounded number of workers: long-lived goroutines with a bounded queue before them.
//
//	p, err := pool.New(pool.Options{Name: "thumbs", Workers: 16, Queue: 1024, WhenFull: pool.Block})
//	err = p.Go(ctx, func(ctx context.Context) { … })  // a task nobody waits for
//	f, err := pool.Submit(ctx, p, render)             // a task with a result
//	img, err := f.Wait(ctx)
//	out, err := pool.Map(ctx, p, pages, render)       // many, in order; the first error cancels the rest
//	err = p.Close(ctx)                                // drains
//
// # Use it when
//
//   - work must go on after the request that asked for it, but not without a bound: [Pool.Go];
//   - results of several pieces of work are wanted, computed a few at a time by one set of workers: [Submit];
//   - each of many items is to be worked on, all or none: [Map], [ForEach], and [MapSeq] for a stream of them;
//   - there is so much small work that a goroutine for each costs more than the work itself.
//
// Use something else when calls should be limited on the goroutines of their callers (package pool/bulkhead), when calls
// for the same thing should share one (package pool/flight), for a fixed set of things to do once
// (golang.org/x/sync/errgroup), or when work must survive the process (a queue or a broker): what is in a pool is lost
// when the process ends.
//
// A pool has no Do. A block that guards a call runs it on the goroutine of its caller, without storing it; a pool does
// neither. Submit and Wait are what comes nearest.
//
// # Contexts
//
// Each call takes a ctx that bounds the wait for a place in the queue. A task of Go keeps the values of ctx, such as the
// span, but not its end: a request that has been answered does not stop what it set off. A task of Submit keeps
// ctx altogether, since somebody waits for it, and is not run if ctx ends before. Its context ends when it returns, so
// a result must not depend on it any more: read a response to its end inside the task.
//
// # When it is full
//
//	Block       the default: the caller waits until its ctx ends, in line with others
//	Reject      the caller is refused at once
//	CallerRuns  the caller runs the task itself, and brings no other meanwhile
//
// A refusal is a [*FullError] (with Block only at a deadline; a caller that cancels gets context.Canceled), with a hint
// when another try makes sense: the typical time of a task times the length of the queue, by the number of workers.
// [Pool.TryGo] never waits, whatever the pool's policy.
//
// # Tasks that wait for tasks
//
// A task may wait for another of its own pool, on a pool of one worker too, if it waits with its own context, or one that
// comes from it: [Future.Wait] then has the other run in place of the worker that waits. [Map] and its like do the same.
// With CallerRuns any context will do. What a task must not do is wait with Block for a place in the full queue of its own
// pool, which only it might free: there, use TryGo, another policy, or a deadline.
//
// # Order and fairness
//
// Workers take tasks in the order in which they came. Small tasks are taken several at a time, so a few may begin a
// little before older ones. With Options.Fair, tenants that [WithTenant] names take turns instead, and share the queue: a
// tenant has at most as many tasks in it as there are free places.
//
// # Workers
//
// A worker is started when a task finds none free and Options.Workers allows one more, and ends when it has been idle for
// Options.IdleTimeout. [Pool.Resize] changes the limit at any time, also to less than there are tasks under way.
//
// # Panics
//
// A panic of a task of Submit is the [*PanicError] that Wait returns. A panic that nobody learns of goes to
// Options.OnPanic, and without that ends the process, like a panic of any goroutine. It is never swallowed: that also
// holds for the Future that is garbage before anybody got its result. A task that calls runtime.Goexit is counted,
// its Future fails with [ErrGoexit], and the pool keeps its number of workers. Map raises the panic of an item again.
//
// # Cost
//
// Giving a task to a pool is a few steps under a lock, and wakes a goroutine only if no worker is looking for work.
// Go allocates nothing when its ctx is context.Background(), else one context; Submit allocates the Future.
//
// # Telemetry
//
// The counter joist.pool.tasks has the attribute joist.pool.outcome: ok, error (of a task of Submit), panic, goexit,
// cancelled (its ctx ended before it ran), rejected (full or closed) or dropped (left unrun by Close). Each call is
// counted once. joist.pool.queue.length and joist.pool.workers (joist.pool.state busy or idle) tell what is there now,
// and the histograms joist.pool.wait.duration and joist.pool.run.duration how long tasks wait and run: all tasks if they
// typically take 20 µs or more, else one in 256, so that their counts are not those of the tasks. A refusal of a full pool is
// also an event, joist.pool.full, on the caller's span if that records.
package pool
