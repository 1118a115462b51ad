package retry

import "time"

// The figures of [FinagleBudget].
const (
	finagleTTL     = 10 * time.Second
	finagleSlices  = 10
	finaglePrice   = 5                                                 // calls that a retry takes: 20 %
	finagleReserve = 10 * int64(finagleTTL/time.Second) * finaglePrice // 10 retries per second, for a whole TTL
)

// FinagleBudget returns a Budget with the rules of Finagle's RetryBudget and its defaults:
//
//   - each call deposits, and what it deposits is worth a fifth of a retry for 10 s;
//   - each retry withdraws 1, and a withdrawal is forgotten after 10 s too;
//   - beside that there is a reserve of 10 retries per second: 100 in any 10 s, for clients with few calls.
//
// So in any 10 s there are at most 100 retries and 20 % of the calls of that time, and at first 100. Time is counted in
// slices of 1 s, so deposits and withdrawals last between 9 and 10 s. A client with fewer than 10 calls per second may
// retry more than it calls: the reserve is why Budgets of [NewBudget] have none.
//
// The budget's Name in Stats is "finagle". The error is always nil; it is there so that all presets are used alike.
func FinagleBudget() (*Budget, error) {
	return newPreset("finagle", new(finagleWindow)), nil
}

// finagleWindow is the account of [FinagleBudget]: deposits less withdrawals of the last ten slices of time, in calls.
type finagleWindow struct {
	deaf

	slices  [finagleSlices]int64
	sum     int64 // of slices
	current int64 // number of the current slice, from the origin of the budget's clock
}

// turn empties the slices that are as old as the TTL. An older reading of the clock turns nothing.
func (w *finagleWindow) turn(now int64) *int64 {
	next := now / int64(finagleTTL/finagleSlices)
	for n := min(next-w.current, finagleSlices); n > 0; n-- {
		old := &w.slices[(next-n+1)%finagleSlices]
		w.sum -= *old
		*old = 0
	}
	w.current = max(w.current, next)
	return &w.slices[w.current%finagleSlices]
}

func (w *finagleWindow) add(calls, now int64) {
	*w.turn(now) += calls
	w.sum += calls
}

func (w *finagleWindow) earn(calls, now int64) { w.add(calls, now) }

func (w *finagleWindow) draw(_ bool, now int64) (price int64, ok bool) {
	w.turn(now)
	if w.sum+finagleReserve < finaglePrice {
		return 0, false
	}
	w.add(-finaglePrice, now)
	return finaglePrice, true
}

func (w *finagleWindow) refund(price, now int64) { w.add(price, now) }

func (w *finagleWindow) available(now int64) float64 {
	w.turn(now)
	return max(float64(w.sum+finagleReserve)/finaglePrice, 0)
}
