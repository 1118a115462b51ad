// Package breaker provides circuit breakers: they stop calling a dependency that fails, let it recover, and find out
// with a few calls when it has.
//
//	b, err := breaker.New(breaker.Options{Name: "users-api"})
//	err = b.Do(ctx, call)
//	users, err := breaker.DoValue(ctx, b, fetchUsers)
//
// How to choose, and how to move over from other libraries, is in the guide docs/guides/circuit-breaking.md of the repository.
//
// # Which one to use
//
//   - [Breaker.Do] and [DoValue] for work that fits into a function: nothing can leak.
//   - [Breaker.Allow] and [Permit] for work that begins and ends in different places, such as a stream.
//   - [Keyed] for one breaker per host, shard or tenant, in bounded memory.
//   - [Last], the default window, for calls that come often: what counts is how the dependency is now.
//   - [LastCalls] for calls so seldom that a time holds too few of them. What counts is the last n, however old.
//   - Options.ConsecutiveFailures beside a window, for a dependency that is down or up and nothing between: it opens after
//     so many failures in a row, before MinCalls are there.
//   - Options.SlowCall for a dependency that may hang or slow down without an error.
//   - breakerhttp.Transport for an HTTP client: one breaker per host, and responses are judged too.
//
// # States
//
// A closed breaker counts the outcomes of the last [Options].Window. When at least MinCalls of them are there and the
// share of failures is FailureRatio or more, or that of slow calls is SlowRatio or more, it opens. So it does after
// ConsecutiveFailures in a row, whatever MinCalls says.
//
// An open breaker refuses every call with an [*OpenError], which is [ErrOpen] and says when to try again. It does so for
// OpenFor, which doubles from opening to opening up to MaxOpenFor, with jitter.
//
// Then it is half-open, and lets at most Probes calls out at once. The first Probes results decide: it opens again as
// soon as FailureRatio of them have failed or SlowRatio of them were slow, and else it closes. A probe that takes longer
// than ProbeTimeout counts as a failure, and its place is free again. No timer runs for any of this: the next call, State
// or Stats finds what is due, and dates it back.
//
// Each transition begins a new generation. A result that belongs to an earlier one, such as a success that arrives when
// the breaker has opened and is half-open by now, counts nowhere and frees nothing.
//
// With a Ramp, a breaker that closes lets a growing share of the calls through until Ramp has passed, so that a dependency
// that has just come up is not met by all of them at once. It counts, and opens, as a closed one does.
//
// # Windows
//
// [Last] slides in steps of a tenth: the calls of one tenth leave together, ten tenths later, so that it covers between
// 0.9 and 1 of the time. With [LastCalls] each call evicts the oldest. Both compare with "or more": a ratio of 1 opens the
// breaker when every call in the window failed, and only then. A ratio is looked at when an outcome comes: what leaves a
// window opens nothing until then.
//
// # Slow calls
//
// A call that lasts SlowCall or longer is slow, however it ends. A slow call that failed counts for both ratios, and
// ends a row of failures no more than another failure does. It is one call all the same: Stats and joist.breaker.calls have it
// as slow, and not as a failure.
//
// A call that hangs does not wait for its end to be counted. The calls that are out are known by the seventh of SlowCall in
// which they began; when the eighth after that begins, what is still out is counted as slow, which is between 1 and
// 8/7 × SlowCall after its begin. At its end it is not counted again; if it failed, what was counted becomes a slow
// call that failed. A row of failures waits for that end. No timer runs: the next call, State or Stats finds out. Probes
// have ProbeTimeout instead.
//
// # Modes
//
// [Options].Mode and [Breaker.SetMode] say what a breaker makes of its state. [ForcedOpen] and [ForcedClosed] set it. With
// [Observe] it changes as ever, and nothing is refused: for a new breaker in production. [RetriesOnly] refuses attempts after
// the first only: for a breaker in front of a dependency that may be down in part. Calls that a mode lets through against
// the state are counted as spared, and their outcomes nowhere.
//
// # Outcomes
//
//   - nil is a success.
//   - An error marked with [Ignore], and a refusal of a block inside (an error with Refused() bool that says true), is
//     ignored: it says nothing about the dependency. What bulkhead.Drop marks, as a sign of overload, is a failure.
//   - context.DeadlineExceeded is a failure, whoever set the deadline: a dependency that hangs must show.
//   - context.Canceled is ignored when the caller's own context has ended. If that ended with context.DeadlineExceeded as
//     its cause (see context.Cause), it is a failure.
//   - Every other error is a failure, unless Options.IsFailure says that it is none; then it is a success.
//   - A panic and a runtime.Goexit are failures.
//
// # Composition
//
// A breaker is the innermost block, next to the call: rate limit, cache, retry, bulkhead, breaker, call. Inside a retry
// each attempt is counted; a breaker around a retry would see only what the retry could not help.
//
// # Cost and telemetry
//
// A call through a closed breaker reads two words and the clock, once, and changes one word by compare-and-swap; a refusal
// reads the clock. Neither allocates nor takes a lock. LastCalls takes a mutex for some nanoseconds instead. SlowCall reads
// the clock once more and changes two more words, and ConsecutiveFailures changes one more for a failure and for a success
// that ends a row. Metrics (joist.breaker.calls, joist.breaker.status,
// joist.breaker.transitions) are read from those words when somebody collects. A refusal, and a transition, is an event
// on the caller's span if that records.
//
// The state machine follows Nygard's Release It! and resilience4j.
package breaker
