// Package bulkhead limits how many calls are inside a dependency at once, so that a slow one cannot take every
// goroutine, connection and byte of memory of the service with it.
//
//	b, err := bulkhead.New(bulkhead.Options{Name: "users-api", Limit: bulkhead.Fixed(50)})
//	err = b.Do(ctx, func(ctx context.Context) error { return callUsers(ctx) })
//	user, err := bulkhead.DoValue(ctx, b, fetchUser)
//
// # Use it when
//
//   - a dependency can become slow: its callers are refused at once, instead of piling up behind it;
//   - one feature must not use up what others need too: give each a bulkhead of its own.
//
// Use something else when calls should be limited per unit of time (package ratelimit), when a dependency that fails
// should be left alone for a while (package breaker), or when the work should be done by a few long-lived goroutines
// with a queue before them (package pool). A bulkhead runs each call on the goroutine of its caller.
//
// In a composition it stands inside the retry and outside the breaker, so that a call which waits for its next attempt
// holds no slot: rate limit, cache, retry, bulkhead, breaker, the call.
//
// # When it is full
//
// A call that finds no free slot is refused at once: the bulkhead has no queue and never blocks. The refusal is a
// [*FullError], for which errors.Is(err, [ErrFull]) holds, and whose methods Refused and RetryAfter tell other blocks
// that the call was never made and when another try makes sense. A caller that would rather wait retries.
//
// The hint of RetryAfter is the typical time of a call, a moving average over all calls if they typically take
// 20 µs or more, else over one in 64: after about that time, the calls that hold the slots now have ended. There is no
// hint before the first call has ended.
//
// # Which limit
//
// By Little's law, calls in flight = calls per second × seconds per call: 200 calls/s of 50 ms need 10 slots. Twice to
// three times that leaves room for bursts and still stops a pile-up early. A call made inside another call of the same
// bulkhead takes a second slot, so nested calls can fill a bulkhead on their own; they are refused, they do not hang.
//
// # Cost
//
// Do allocates nothing, also when fn captures variables: fn is neither stored nor handed on. Taking a slot is one
// compare-and-swap, giving it back one addition, on one word that also counts. A refusal allocates its error.
//
// # Telemetry
//
// The instruments are joist.bulkhead.limit and joist.bulkhead.inflight (what is there now, summed over the bulkheads of
// one Name) and the counter joist.bulkhead.requests with the attribute joist.bulkhead.result: accepted, rejected, or
// cancelled (the context had ended before the call). Every Do is counted once. A refusal is also an event,
// joist.bulkhead.full, on the caller's span if that records.
package bulkhead
