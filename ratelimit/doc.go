// Package ratelimit limits how often something may happen: token buckets, one or one for each key, several limits at once,
// exact, bounded, and without goroutines.
//
//	lim, err := ratelimit.New(ratelimit.Options{
//		Limits: []ratelimit.Limit{ratelimit.PerSecond(100).WithBurst(20)},
//	})
//	if !lim.Allow() {
//		return errTooMany
//	}
//
// # Which type, which method
//
//   - One limit for the whole process, such as calls to one dependency: [Limiter].
//   - A limit for each user, client or tenant: [Keyed]. In front of an HTTP handler: package ratelimithttp.
//   - A yes or no: Allow, or AllowN for what costs more than one token.
//   - What remains and when to come back, for an answer to a client: Take.
//   - A limited call that should fail with a typed error: [Limiter.Do], or [Keyed.For] and [Subject.Do].
//   - A call that may wait: [Limiter.Wait], or Do with Options.MaxWait.
//   - A time to come back at, decided now: [Limiter.Reserve].
//   - A key that may wait: see "Waiting for a key".
//   - A cost that is known only afterwards: take what is likely, then Charge the rest or Refund it.
//   - Ten a second and a thousand a day: two limits in Limits. Other limits for some keys: KeyedOptions.LimitsFor.
//   - A limit of all, then of a tenant, then of a user: [Chain].
//   - To see what a limit would do: [Limit.Shadowed].
//   - Code that does not care where the buckets are: [Taker].
//
// # What a limit promises
//
// A bucket starts full, and in any stretch of time at most Burst + Tokens·(stretch/Per) are taken from it, however many
// goroutines take at once and whatever the clock does. Takes never add up a rounding error, so the long-run rate is the
// one that was asked for; [Limit] tells which rates there are. All n tokens of a take fit, or none are taken. More than
// Burst never fit, which Result.Never tells, as opposed to a wait that would end.
//
// A denial changes nothing: who is denied may ask again at once and is not punished.
//
// Several limits are all or nothing: a take that one of them denies takes from none. The answer names the limit that
// denies the longest, what is left of that one, and when a take of as many tokens will pass all of them.
//
// What is given back by Refund can be taken once more: so in a stretch of time as much more may be taken as was given back in
// it. [Reservation.Cancel] is no such exception: it gives back only what leaves everything that is used within the limit,
// counted by the moments at which it may be used.
//
// With several limits, whoever reserves is told the delay of the slowest, and its tokens of the others are taken at once,
// before that. So each limit holds by the moments that it would have told alone. By those that were told, as many more of
// its tokens may be used in a stretch of time as reservations hold which another limit delayed into it.
//
// # Waiting for a key
//
// A [Keyed] has neither Wait nor Reserve. A queue per key is memory for keys that strangers invent, or one bound for all of
// them, which one stranger uses up. And the bucket of a key may be dropped when it is full, or be the overflow bucket that
// all share: a promise of tokens to come would bind it. So:
//
//   - Who may wait takes, and sleeps for Result.RetryAfter; an example of [Keyed.Take] shows how. It is not a queue: who
//     asks first when a token is there gets it.
//   - A few keys that are known beforehand, such as tenants with a contract, may have a [Limiter] each, in a map that does
//     not grow with requests. Each has a queue of its own, with MaxWaiters.
//   - How many may wait at a time, of all keys, is the limit of a bulkhead around that (package pool/bulkhead).
//   - Who would wait for long is better refused, with the time at which to come back, or its work queued.
//
// # Refusals
//
// Do returns a [*LimitedError], which is [ErrLimited], when the call does not fit, and does so at once unless there is a
// MaxWait; Wait, when it will not fit in time; Reserve, when it never will. Its methods Refused and RetryAfter are what the
// other blocks understand. The other methods answer a [Result] or a bool and have no error for a denial.
//
// # Telemetry
//
// joist.ratelimit.requests counts takes by joist.ratelimit.result (allowed, denied), joist.ratelimit.limit (the name of
// the limit that decided) and joist.name. What a shadow would have denied is counted as shadow_denied, beside allowed or
// denied: whatever the other limits make of a take. The first 32 names of limits in a block are told apart, the rest are
// _other. All keys of a [Keyed] are counted together, and no key is in any attribute. joist.ratelimit.wait.duration is the
// time that calls waited which got their tokens. A refused Do is an event on the caller's span, if that records. See Stats
// for the same numbers without OpenTelemetry.
package ratelimit
