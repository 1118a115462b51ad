// Package limittest is the contract of a [ratelimit.Taker] as a suite of tests: who writes a Taker runs it.
//
//	func TestContract(t *testing.T) {
//		limittest.Run(t, func(t *testing.T, limits ...ratelimit.Limit) ratelimit.Taker {
//			return mytaker.New(limits...)
//		})
//	}
//
// [Run] holds what any Taker keeps; [RunKeys] also that keys have buckets of their own, which a Taker whose keys share
// them does not. Both run in the bubbles of testing/synctest, so that answers are compared to the nanosecond and a
// day passes at once: a Taker under test takes its time from package time.
//
// What a Taker can do beyond taking is tested if it has the methods: Refund as [ratelimit.Refunder], Charge as [Charger],
// and SetLimits as [Setter].
package limittest
