// Package ratelimit limits how often something may happen: token buckets, one or one for each key, exact, bounded, and
// without goroutines.
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
// # Refusals
//
// Do returns a [*LimitedError], which is [ErrLimited], when the call does not fit, and does so at once. Its methods
// Refused and RetryAfter are what the other blocks understand. The other methods answer a [Result] or a bool and have no
// error for a denial.
//
// # Telemetry
//
// joist.ratelimit.requests counts takes by joist.ratelimit.result (allowed, denied), joist.ratelimit.limit (the name of
// the limit that decided) and joist.name. All keys of a [Keyed] are counted together, and no key is in any attribute. A
// refused Do is an event on the caller's span, if that records. See Stats for the same numbers without OpenTelemetry.
package ratelimit
