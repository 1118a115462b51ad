// Package balance picks which of several endpoints a call goes to: the one that is likely to answer soonest, none that
// keeps failing, and for the next attempt of a call another one than before. It knows nothing of transports: an endpoint
// is an address, a connection, a client, whatever can be compared.
//
//	bl, err := balance.New(balance.Options[string]{Name: "users-api", Endpoints: addresses})
//	err = bl.Do(ctx, func(ctx context.Context, address string) error { return send(ctx, address) })
//
//	pick, err := bl.Pick(ctx)
//	…
//	pick.Done(err)
//
// # Use it when
//
//   - there are several endpoints, and any of them can answer any call: [Balancer];
//   - each key has an endpoint of its own, a shard, or one whose cache is warm for it: [Rendezvous].
//
// Use something else when a proxy or the name service spreads the calls already, and there is one address to call. A
// balancer chooses between endpoints and does not limit them: what can take only so many calls needs a bulkhead (package
// bulkhead), and what is down as a whole a breaker (package breaker).
//
//   - [Balancer.Do] and [DoValue] for work that fits into a function: nothing can leak.
//   - [Balancer.Pick] and [Pick] for work that begins and ends in different places.
//   - [Balancer.Call] for a call with several attempts, each of which should go elsewhere.
//
// In a composition it stands inside the retry, and around what there is one of for each endpoint: rate limit, cache, retry,
// balance, bulkhead, breaker, the call.
//
// # Which endpoint
//
// Two endpoints are drawn at random, and the cheaper one is picked (the power of two choices: Mitzenmacher, IEEE TPDS
// 12-10, 2001). What a call costs at an endpoint is the time that calls take there × (calls in flight there + 1). So an
// endpoint that hangs, and whose calls pile up, is avoided before the first of them has ended.
//
// The time is a peak EWMA, as in Finagle's load balancer: a slower call is believed at once, and quicker ones by and by, with
// the half-life Decay. Two things are different here. What made an endpoint look slow also fades when nobody calls it, but
// towards the typical time of all endpoints and not to nothing: one which was left alone for a while is taken for one
// like the others, and not for the quickest of all. And only a success can lower it: an endpoint that fails quickly does not look quick.
//
// If calls typically take 20 µs or more, each is timed, else one in 64.
//
// # What counts as a failure
//
//   - nil is a success.
//   - An error marked with [Ignore], and a refusal of a block inside (an error with Refused() bool that says true), says
//     nothing about the endpoint. What bulkhead.Drop marks, as a sign of overload, is a failure.
//   - context.DeadlineExceeded is a failure, whoever set the deadline: an endpoint that hangs must show.
//   - context.Canceled says nothing when the caller's own context has ended. If that ended with
//     context.DeadlineExceeded as its cause (see context.Cause), it is a failure.
//   - Every other error is a failure, unless Options.IsFailure says that it is none; then it is a success. "Not found" is
//     an answer.
//   - A panic and a runtime.Goexit are failures.
//
// These are the rules of package breaker.
//
// # Ejection
//
// An endpoint is bad when ConsecutiveFailures calls in a row have failed, or FailureRatio of its last calls. It is
// ejected: not picked for EjectFor, which grows each time. (This is the passive half of Envoy's outlier detection.) Then it
// comes back by a slow start, from a tenth of its share of the picks up to all of it. Nothing probes it meanwhile.
//
// Never more than MaxEjected of the endpoints are ejected. One that is bad beyond that is a suspect: it is picked like the
// others, until a call to it succeeds. If more than PanicAt of the endpoints are bad, the balancer panics, as
// Envoy calls it: none is ejected, for the endpoints are then hardly what is wrong, and the rest could not take the load.
// All are suspects, and the first success of each brings it back.
//
// With MaxEjected 1 and PanicAt [Off] all endpoints can be ejected. Then calls are refused with a [*NoneError], whose
// RetryAfter says when the first comes back.
//
// # With retries, breakers and hedges
//
// A [Call] remembers where its attempts went, and sends the next one elsewhere while there is another endpoint that serves.
// It stands outside of the retry. A hedge uses it the same way.
//
// A breaker for each endpoint, such as a breaker.Keyed by address, stands inside. When it refuses, its hint of when to
// come back is true for its endpoint alone, so Do takes the hint away while there are others: the retry goes elsewhere
// after its own backoff. With Pick that is left to the caller.
//
// # Sharding by key
//
// [Rendezvous] gives each key the endpoint with the highest hash of both (Thaler and Ravishankar, "Using Name-Based
// Mappings to Increase Hit Rates", IEEE/ACM ToN 6-1, 1998). When one of n endpoints leaves or joins, 1/n of the keys move
// and no others. An endpoint with more than MaxLoad times the mean of calls in flight is passed over for the next one
// (the bound is that of Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018).
//
// # Cost and telemetry
//
// A pick takes no lock and allocates nothing, and its Done neither, but for the one that makes an endpoint bad. With calls
// above 20 µs, or while an endpoint is ejected or in slow start, a pick reads the clock once, and Done once more. A refusal
// allocates its error.
//
// The counter joist.balance.picks has the attribute joist.balance.outcome: success, failure, ignored, or refused (there was
// no endpoint). joist.balance.endpoints has the number of endpoints by joist.balance.state: ready, slow_start, suspect,
// ejected; joist.balance.ejections counts ejections. No metric names an endpoint: [Balancer.Endpoints] tells of each. On
// the caller's span, if it records, joist.balance.none is an event of a refused call, and joist.balance.ejected of the call
// that had its endpoint ejected.
package balance
