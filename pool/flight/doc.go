// Package flight lets calls that want the same thing at the same moment share one call: a singleflight with types, in
// which each caller waits as long as its own context allows and nobody's departure takes the answer from the others.
//
//	users, err := flight.New[string, User](flight.Options{Name: "users"})
//	u, err := users.Do(ctx, id, func(ctx context.Context) (User, error) { return fetch(ctx, id) })
//
// # Which to use
//
// Use a [Group] when many callers ask at once for what costs much to get, and the answer may be as old as the moment
// the load began. Use golang.org/x/sync/singleflight when no caller ever leaves, keys are strings, and an untyped
// answer does. Use the cache of this module when the answer may be used again after the load has ended: a Group keeps
// nothing.
//
// Use [Group.Do] unless you have to know who began the load: then [Group.DoShared]. Use [Group.Go] to have something
// loaded that nobody waits for, such as a refresh of what is still good. Use [Group.Forget] when what a load in flight
// will answer has just become wrong.
//
// # Who may leave, and what becomes of the load
//
// A caller whose ctx ends gets ctx.Err() at once. The load has the values of its leader's context, so that traces and
// the like go on, but neither its deadline nor its cancellation. What remains to be said is when a load ends before its
// function returns:
//
//   - By default a load lives as long as somebody waits for it. When the last waiter leaves, its context is cancelled,
//     with that waiter's error as the [context.Cause]. From then on nobody joins it: the next call begins a new load,
//     even while the old one is winding up, and does not inherit its cancellation.
//   - In a Detached group a load lives until its Timeout, with or without waiters. That is what a cache needs: what was
//     begun is worth having.
//   - A Timeout is a hard deadline in both. A load that pays no attention to its context holds neither its waiters nor
//     its key: they are answered with a [*TimeoutError], the key is free, and a late answer is dropped.
//
// # No answer from the past
//
// A load stops being joinable the moment its function returns, and is gone from the table before the first waiter has
// its answer. So a call that begins after another has got the answer of a load, or after its function has returned, is
// never served by that load, however many callers there are.
//
// # Panics
//
// A panic of the load reaches the call that began it as a panic, if that call still waits, and every other waiter as
// a [*PanicError] with the stack. A [runtime.Goexit] is [ErrGoexit]. When nobody waits, both are counted in [Stats] and
// told to the Logger; the process goes on.
//
// # Telemetry
//
// The counter joist.flight.calls {call} has the attributes joist.name and joist.flight.role: leader for calls that
// began a load, shared for calls that joined one. A call that is refused is the event joist.flight.refused on the
// caller's span.
//
// # Cost
//
// A call whose context cannot be cancelled runs its load itself. Any other load has to have a goroutine of its own, or
// its leader could not leave before it ends: half a microsecond that no implementation gets around. Keys are spread
// over shards with a lock each, so that calls for distinct keys do not wait for each other.
package flight
