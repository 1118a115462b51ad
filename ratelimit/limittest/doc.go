// Package limittest is the contract of a [ratelimit.Taker] as a suite of tests: who writes a Taker runs it.
//
//	func TestContract(t *testing.T) {
//		limittest.Run(t, limittest.Harness{
//			New: func(t testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
//				return mytaker.New(limits...)
//			},
//		})
//	}
//
// # What it tests
//
// Each subtest of [Run] is named by a sentence of the contract: takes, denials and peeks, to the nanosecond; RetryAfter,
// to which the part of a token that has come in counts; n > burst, which is Never; n < 0 and a context that has ended, which
// are errors and take nothing; several limits, which take all or nothing; the limit that is named; shadows; rates whose
// tokens come in between nanoseconds; goroutines that take at one moment; keys that do not share.
//
// What a Taker can do beyond taking is tested if it has the methods: Refund as [ratelimit.Refunder], Charge as [Charger],
// and SetLimits as [Setter]. One without them passes, and the log says that they were not tested. A method of that name
// in another form fails.
//
// Answers are compared with a model in rational numbers, which is asked beside the Taker.
//
// # Which clock
//
//   - A Taker that takes its time from package time: leave Harness.Sleep out. Each test is in a bubble of testing/synctest, in
//     which an hour passes at once, and answers are compared to the nanosecond.
//   - A Taker whose clock is set by hand: Sleep and Now are those of that clock. Answers are as exact.
//   - A Taker by a real clock, such as that of a server: Sleep is [time.Sleep], Second is short, and Resolution says in what
//     the server counts. Time passes during a call then, and nobody knows at which moment of it the Taker looked at its
//     clock.
//
// For the last the model works with bounds. It reads Harness.Now before and after each call, keeps the earliest and the
// latest moment at which each bucket may be full, and accepts what is right for one of them. No delay fails a Taker that
// is right: it only makes the bounds wider, and the tests blunter. That more than burst + rate·elapsed is never allowed, and
// that a take at RetryAfter is, holds whatever the delay.
//
//	limittest.Harness{
//		New:        newTaker,
//		Sleep:      time.Sleep,
//		Resolution: time.Microsecond,
//		Second:     20 * time.Millisecond,
//	}
//
// # Chains
//
// [ratelimit.Chain] asks one taker after the other, so that a denial is that of the first which denies, and a later one may
// deny longer, or for ever. Harness.InOrder says so. What a limit promises holds all the same.
package limittest
