// Package retry calls work again when it fails, in ways that help and cannot hurt: with a backoff that spreads callers
// apart, within the caller's deadline, not before a server wants it, and only as often as a budget allows.
//
//	policy, err := retry.New(retry.Options{Name: "users-api"})
//	…
//	user, err := retry.DoValue(ctx, policy, func(ctx context.Context) (User, error) {
//		return client.User(ctx, id)
//	})
//
// A [Policy] is made once and used by all calls to one operation of one dependency. Work may be called several times, so
// only give it what is safe to repeat.
//
// How to choose, and how to move over from other libraries, is in the guide docs/guides/retrying-without-storms.md of the repository.
//
// # Which part to use
//
//   - For work that returns an error only, use [Policy.Do]; for work that returns a value, [DoValue].
//   - For work that does not fit a function, loop over the attempts of a [Run], made by [Policy.Start].
//   - For the waits use [Exponential], unless the work fails by chance ([Constant]). Leave the [Jitter] Full.
//   - For HTTP requests use package retryhttp, which knows which requests are safe to repeat.
//   - For reads from several equal servers whose slowest answers are much slower than most, use [Hedge]: it does not wait for
//     a failure, and makes a second attempt beside a slow first. Where all answers are slow it only adds load, so not for
//     one server that is busy, nor for what is dear or unsafe to do twice. It takes the place of retries.
//   - When several policies target one dependency, give them one [Budget]. To keep what gRPC, the AWS SDKs or Finagle do,
//     make it with [GRPCBudget], [AWSBudget] or [FinagleBudget].
//   - To stop at an error, wrap it with [Permanent], or give the policy Options.Retryable.
//   - To say when the next attempt is worth it, wrap the error with [After].
//   - Not for work that is slow or rare enough to be queued: give that to a job queue, which survives a restart.
//
// Among the other blocks a retry stands outside the bulkhead and the breaker, so that each attempt asks them anew, and
// inside the cache and its flight, so that one load is retried once for all that wait for it.
//
// # What is retried
//
// Every failure but these: an error that says of itself that no retry can help ([Permanent], or a method Retryable()
// bool that returns false), one that Options.Retryable rejects, and whatever happens once the caller's ctx is over. A
// context error inside a ctx that lives is somebody else's, such as AttemptTimeout's, and is retried.
//
// An error with a method RetryAfter() time.Duration sets the least wait: a server's Retry-After, or the refusal of a
// breaker or a limiter inside the policy. When that is longer than Options.MaxHint or does not fit into the deadline, the
// policy stops at once. So a server can neither be hammered nor park its clients, and an open breaker ends a retry loop
// unless it opens its door in time.
//
// # The deadline
//
// Before a wait the policy adds up the wait and the time of a typical attempt. What does not fit before ctx's deadline is
// not begun: the call fails at once with an error that is context.DeadlineExceeded and holds the last error of the work.
// That error is never lost. The typical attempt is an estimate from all attempts that fail, all retries, and 1 in 16 first
// attempts that succeed; only a failure after a time without any may go untimed. Attempts that were refused or cancelled
// tell nothing.
//
// Options.MaxElapsed is the same limit without a ctx: it bounds how long a call goes on retrying, waits included, and lets
// an attempt under way end by itself.
//
// # Tiers
//
// Where a call passes through several policies, in one process or in several, their retries multiply: four policies with
// three attempts each send 81 calls to what is down. The ctx of each attempt after the first tells its number ([Attempt]) to
// all that is inside, through retryhttp also to other services, and a policy with Options.FirstTriesOnly does not retry what
// is already a retry. So retries add up instead. With a budget of 10 % in each of four tiers, the last of them makes at most
// 1.1⁴ = 1.46 attempts for each call of the first, and what the budgets' bursts allow: less than 5 bursts, however many calls.
//
// # The budget
//
// When a dependency is down, each of its clients retries, and the load grows just when there should be less. A [Budget]
// bounds that: retries may be at most a share of the calls, 10 % by default. It never refuses a first attempt, and when
// the failures are few it never shows.
//
// # Errors
//
// A stop is an [Error] with its [Reason], which holds the last error and the errors of earlier attempts, except for a
// first attempt that fails for good: its error is returned as the work gave it. [Policy.Do] has the rules.
//
//	stopped because            errors.Is            Reason            joist.retry.outcome
//	MaxAttempts failed         ErrExhausted         ReasonExhausted   exhausted
//	no retry can help                               ReasonPermanent   permanent
//	the budget is spent        ErrBudget            ReasonBudget      budget
//	it would miss the deadline DeadlineExceeded     ReasonDeadline    deadline
//	the caller left            Canceled             ReasonCancelled   cancelled
//
// # Telemetry
//
// A call that succeeds at once adds to two striped words and nothing else. Exported are the counters joist.retry.calls
// by joist.retry.outcome (the last column above, first_try and recovered) and joist.retry.attempts by joist.retry.kind
// (retry, hedge), and the histogram joist.retry.delay.duration of the waits that ran to their end. Each attempt after the first
// has a span retry.attempt; the first runs in the caller's. When a policy stops where another attempt was due, the
// caller's span gets an event joist.retry.stopped with the reason.
//
// # Time
//
// All time comes from package time, so that policies and budgets work inside a testing/synctest bubble, if they are made
// there.
package retry
