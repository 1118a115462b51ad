// Package joist is the front page of a library of scalability building blocks for services: a read-through cache, token
// bucket rate limits, retries with a budget, circuit breakers, and pools with singleflight and bulkheads. Each block is
// a package of its own that can be used alone; together they compose by nesting plain function calls.
//
// # Which block
//
//   - The same answer is asked for again and again, or must survive its source:
//     [github.com/joist-go/joist/cache].
//   - Somebody may ask only so often: [github.com/joist-go/joist/ratelimit], and in front of an [http.Handler]
//     [github.com/joist-go/joist/ratelimit/ratelimithttp].
//   - A call fails now and then and works when it is made again: [github.com/joist-go/joist/retry], and for an
//     [http.Client] [github.com/joist-go/joist/retry/retryhttp].
//   - A dependency that is down must not be waited for: [github.com/joist-go/joist/breaker], and for an [http.Client]
//     [github.com/joist-go/joist/breaker/breakerhttp].
//   - A dependency that sheds load should not be sent what it turns away: [github.com/joist-go/joist/breaker/throttle].
//   - A dependency must not be asked by too many callers at once: [github.com/joist-go/joist/pool/bulkhead]; nor a
//     handler: [github.com/joist-go/joist/pool/bulkhead/bulkheadhttp].
//   - Callers that want the same thing at the same moment should share one call:
//     [github.com/joist-go/joist/pool/flight].
//   - Callers that want one thing each should be answered many at a time: [github.com/joist-go/joist/pool/batch].
//   - There are several endpoints to call, and each call should go to the best of them, or to the one of its key:
//     [github.com/joist-go/joist/pool/balance].
//   - Work goes on in the background, so much of it at once and no more: [github.com/joist-go/joist/pool].
//
// # Composition
//
// Every block that guards a call has one verb, and its package a function for calls that return a value:
//
//	func (b *T) Do(ctx context.Context, fn func(context.Context) error) error
//	func DoValue[V any](ctx context.Context, b *T, fn func(context.Context) (V, error)) (V, error)
//
// Blocks nest in this order, outside in: rate limit, cache or flight, retry with its attempt timeout, bulkhead, breaker,
// and then the call. A rate limit outside of the cache counts what clients ask, not what the dependency sees; a breaker
// inside of the retry sees each attempt.
//
// # Refusals
//
// When a block decides that a call is not made, it returns an error of its own type. A sentinel finds it with
// [errors.Is], such as breaker.ErrOpen; the type, found with [errors.As], has the block's name, the reason and two
// methods:
//
//	Refused() bool             // the call was never made
//	RetryAfter() time.Duration // when another try may help; 0 or less means that there is no hint
//
// Blocks know each other's refusals by these methods alone: a retry waits at least as long as a breaker inside it asks,
// and a breaker does not count what a limiter inside it refused. The README has the table of refusals with the HTTP
// status and the gRPC code of each.
//
// # What all blocks keep
//
// A block never sleeps or queues past its context's deadline: when the wait cannot fit, it fails at once, with an error
// that is both [context.DeadlineExceeded] and the real cause. A panic in a user's function reaches its caller and leaks
// nothing. Whatever grows with user input has a bound. Options are plain structs whose zero fields are documented
// defaults, and New reports all faults of an Options struct at once. Counters and traces go to the global OpenTelemetry
// providers, unless Options names others, and cost next to nothing when no SDK is there.
//
// [http.Handler]: https://pkg.go.dev/net/http#Handler
// [http.Client]: https://pkg.go.dev/net/http#Client
package joist

// Must returns v, and panics with err if it is not nil. It is for blocks whose Options are known when the program is
// written, where an error of New is a mistake in the program and not something to handle:
//
//	var limit = joist.Must(ratelimit.New(ratelimit.Options{…}))
//
// The value of the panic is err itself, so that a recover finds what New returned. Must allocates nothing.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
