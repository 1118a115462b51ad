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
// # Which limit
//
//   - [Fixed], when you know it. By Little's law, calls in flight = calls per second × seconds per call: 200 calls/s of 50
//     ms need 10 slots. Twice to three times that leaves room for bursts and still stops a pile-up early.
//     [Bulkhead.SetLimit] changes it at run time.
//   - [AIMD], when the dependency says that it has too much to do, by refusing or by calls that time out, and others
//     call it too: all get their share. It knows nothing of a queue that grows without a sign.
//   - [Gradient], in front of your own work, or where this process is most of the load: it stops where calls begin to
//     queue, before anything is refused. It needs calls of one kind, and some traffic: below some ten calls at once the
//     limit may stand up to twice as high as is best.
//
// A call made inside another call of the same bulkhead takes a second slot, so nested calls can fill a bulkhead on their
// own. Without a queue they are refused; in a queue the inner call waits until MaxWait.
//
// # What an adaptive limit learns from
//
// Every call has an [Outcome]. Succeeded: its time counts. Dropped is a sign of overload: any deadline that passed, whoever
// set it, an error that asks for a pause (429 and 503 with Retry-After), a time-out of the network, what is marked with
// [Drop]. Ignored are the caller's own cancellation, refusals of blocks inside, panics, Goexits, what is marked with
// [Ignore], and other errors, unless [Options].Classify knows better.
//
// A run beside a fixed limit is drawn in docs/bulkhead-limit.svg. The limit moves after windows of at least 100 ms. If
// calls typically take 20 µs or more, each is timed, else one in 64.
//
// # When it is full
//
// Without MaxQueue a call that finds no free slot is refused at once. With it, so many may wait: prefer a short queue,
// about what is answered in the time that a caller has. First come, first served, until the queue has not been empty for
// CoDelInterval. Then there are more calls than can be answered, and those that have waited for long will be given up by
// their callers soon: the newest go first, and nobody who joins waits longer than CoDelTarget, but for the next in turn
// (adaptive LIFO with CoDel, as in Maurer, "Fail at Scale", ACM Queue 13-8; Nichols and Jacobson, "Controlling Queue
// Delay", ACM Queue 10-5). Among those who wait, [Priority] goes before order: see [WithPriority].
//
// A wait that would be longer than the context's deadline allows, by the typical time of a call, is not begun. A waiter
// leaves as soon as its context ends. A slot that comes to one who has left is handed on.
//
// The refusal is a [*FullError], for which errors.Is(err, [ErrFull]) holds, and whose methods Refused and RetryAfter tell
// other blocks that the call was never made and when another try makes sense: after the typical time of a call, a moving
// average, and the queue's share of it. There is no hint before the first call has ended.
//
// # Cost
//
// Do allocates nothing unless it waits or refuses, also when fn captures variables: fn is neither stored nor handed on.
// Taking a slot is one compare-and-swap of one word that also counts, giving it back one addition. An adaptive limit adds two
// readings of the clock, for one call in 64 if they are tiny. A refusal allocates its error, a wait about 5 times.
//
// # Telemetry
//
// The instruments are joist.bulkhead.limit, joist.bulkhead.inflight and joist.bulkhead.pending (what is there now, summed
// over the bulkheads of one Name), the histogram joist.bulkhead.wait.duration of those that had to wait, and the counter
// joist.bulkhead.requests with the attribute joist.bulkhead.result: accepted, rejected (no slot and no place in the
// queue), timeout (a wait too long), shed, or cancelled (the caller had left). Every Do is counted once. A refusal is also
// an event, joist.bulkhead.full, on the caller's span if that records.
package bulkhead
