// Package throttle keeps a client from sending to a dependency what it would turn away anyway: adaptive throttling on
// the client's side, as the Google SRE book describes it.
//
//	t, err := throttle.New(throttle.Options{Name: "users-api", K: 2})
//	err = t.Do(ctx, call)
//	users, err := throttle.DoValue(ctx, t, fetchUsers)
//
// Turning a request away costs a server something, too. One that gets many times what it can do spends all of its time on
// saying no. A throttle counts how many calls there were in the last two minutes, and how many of them the dependency
// accepted. When it accepts less than one in K, calls are refused here, at random, with the probability
//
//	max(0, (requests − K × accepts) / (requests + 1))
//
// # Use it when
//
//   - a dependency sheds load (a rate limit, a quota, 429, 503) and goes on serving a part of it: the throttle finds out
//     how large that part is, and sends about K times as much.
//   - no two clients should be treated alike because of one: each decides by what it has seen itself, without talking to
//     others.
//
// Use package breaker when a dependency is down or hangs as a whole: a breaker stops all calls at once, and a throttle
// thins them out. Use package ratelimit when you know the rate beforehand, and a bulkhead when too many calls pile up.
//
//   - [Throttle.Do] and [DoValue] for work that fits into a function: nothing can leak.
//   - [Throttle.Allow] and [Permit] for work that begins and ends in different places.
//
// In a composition it stands in the place of the breaker, next to the call, or directly around the breaker. Each attempt
// of a retry outside counts as a request; so does each that is refused here, which is how clients that insist are
// throttled more. Mind the budget of such a retry. It waits for the hint of a refusal, up to a tenth of Window, and ends at
// once if that is longer than its deadline or its MaxHint allow.
//
// # What counts
//
// A call counts when it has ended: a call that is out is neither accepted nor not, so that a burst of first calls does not
// throttle itself. A call that is refused here counts as a request at once. So requests in the formula are those that
// were accepted, those that the dependency rejected, and those that were refused here:
//
//   - nil is accepted.
//   - An error marked with [Ignore], and a refusal of a block inside (an error with Refused() bool that says true), counts
//     nowhere.
//   - context.DeadlineExceeded is rejected, whoever set the deadline: a dependency that is too busy to answer has not
//     accepted the call.
//   - context.Canceled counts nowhere when the caller's own context has ended. If that ended with
//     context.DeadlineExceeded as its cause (see context.Cause), it is rejected.
//   - Every other error is rejected, unless Options.IsRejection says that it is none; then it is accepted. An answer that
//     is an error but no overload, such as "not found", should be accepted: the dependency did its work.
//   - A panic and a runtime.Goexit are rejected.
//
// These are the rules of package breaker, and a mark of breaker.Ignore holds here, too.
//
// # K, and how it recovers
//
// With K = 2, twice as many calls are let out as are accepted. What is sent in vain is how the throttle learns that the
// dependency accepts more again. A lower K saves the dependency work and learns later; a higher one lets more through.
// At most MaxReject of the calls are refused, however bad it looks, so that some always go out to see.
//
// What is accepted again raises what is let out step by step, so that a dependency is not met by the whole herd at once. With
// the defaults, one that accepted nothing for a whole window gets half of the calls after about 1.4 windows of accepting
// all that it gets, and all of them after less than two. A shorter Window is quicker at both ends.
//
// # Cost and telemetry
//
// A call of which nothing is refused reads the clock once and adds to one word; it takes no lock and allocates nothing. A
// refusal draws a random number, and shares its error with other refusals of about the same probability. The
// counter joist.throttle.requests has the attribute joist.throttle.result: accepted, rejected (by the dependency), ignored or
// throttled (refused here). Its share of throttled is the reject probability over time. A refusal is also an event,
// joist.throttle.throttled, on the caller's span if that records.
//
// The algorithm is that of "Handling Overload" in Site Reliability Engineering (Beyer et al., 2016).
package throttle
