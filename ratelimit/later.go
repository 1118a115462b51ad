package ratelimit

import (
	"math"
	"sync/atomic"
	"time"
)

// Charge takes n tokens whether they are there or not: for what a call turns out to have cost. The buckets may be in debt
// then, and allow nothing until it is paid. n may be more than the burst. It is not counted as a take. The errors are
// [ErrNegative], and [ErrHorizon] for a debt of more than years, with which nothing is taken.
func (l *Limiter) Charge(n int64) error {
	return l.do(charge, n)
}

// Refund gives n tokens back that were taken and not used. A bucket takes no more of them than it can hold. Whoever waits
// learns of it at once. While reservations are pending, what is given back goes to others beside them, and as much more may be
// used in the stretch of time in which they act. The error is [ErrNegative].
func (l *Limiter) Refund(n int64) error {
	err := l.do(refund, n)
	l.queue.poke()
	return err
}

// do does what to n tokens in the state that is live.
func (l *Limiter) do(what op, n int64) error {
	if n < 0 {
		return ErrNegative
	}
	if n == 0 {
		return nil
	}
	now := l.clock.Now()
	for {
		if v, live := l.state.Load().do(what, now, n, nil); live {
			return v.err
		}
		l.settled()
	}
}

// Reserve takes n tokens now for a time at which they will have come in, and tells how long that is: the caller waits
// for [Reservation.Delay], or gives the tokens back with [Reservation.Cancel]. [Limiter.Wait] does all that, and is what
// most callers want. With several limits, the delay is that of the slowest.
//
// It returns a [*LimitedError] with Never when n is more than the burst of a limit, [ErrNegative], and [ErrHorizon] when
// the delay would be years. It never blocks. It allocates the reservation.
func (l *Limiter) Reserve(n int64) (*Reservation, error) {
	if n < 0 {
		return nil, ErrNegative
	}
	now := l.clock.Now()
	r := &Reservation{limiter: l, ready: now, n: n}
	if n == 0 {
		r.ended.Store(true)
		return r, nil
	}
	for {
		r.state = l.state.Load()
		v, live := r.take(now)
		switch {
		case !live:
			l.settled()
			continue
		case v.err != nil:
			return nil, v.err
		}
		plan := r.state.plan
		plan.count(v)
		words := r.words()
		if !v.ok {
			return nil, &LimitedError{Name: l.name, Result: plan.result(words[:], now, n, v)}
		}
		delay, _, _ := plan.earliest(words[:], now, 0)
		r.ready += int64(delay)
		return r, nil
	}
}

// Reservation is n tokens that were taken ahead. It is made by [Limiter.Reserve] and safe for concurrent use.
type Reservation struct {
	limiter *Limiter
	state   *state
	ready   int64 // when the tokens will have come in
	n       int64
	marks   [MaxLimits]mark
	ended   atomic.Bool
}

// mark is how a bucket stood just after a reservation: what Cancel may give back shows by what was taken since.
//
// # Why cancelling creates nothing
//
// Whoever takes after a reservation is told a moment as if that were used, which is later by its n tokens. When it is not
// used, those n tokens of time have room for others, who may act there before and beside the later ones. Each unit that was
// taken since holds back one unit, so that both together are no more than the n that were to be used there.
//
// The units taken since are at most the word less the mark: a take moves the word by as much, and by more when the bucket
// had been full. Whatever moves it back hides as much of them, and is added again: back counts what refunds and cancels
// gave. A cancel of the last reservation, with nothing taken since, is left out: all is as if it had never been, for the
// ones before it too.
type mark struct {
	full uint64 // the word
	back uint64 // what was given back until then
}

// since returns the units taken since the mark was set, or more, when the word is full and as much was given back as back
// tells. When that is more than can be counted, all were taken.
func (m mark) since(full, back uint64) uint64 {
	if back == math.MaxUint64 {
		return back
	}
	taken := sum(full, back-m.back)
	return taken - min(taken, m.full)
}

// take takes the tokens of r from its state and sets the marks.
func (r *Reservation) take(now int64) (v verdict, live bool) {
	return r.state.do(reserve, now, r.n, r.marks[:len(r.state.plan.buckets)])
}

// words returns the words that r left.
func (r *Reservation) words() (words [MaxLimits]uint64) {
	for i, m := range r.marks {
		words[i] = m.full
	}
	return words
}

// Delay returns how long it takes from now until the tokens will have come in, 0 when they have.
func (r *Reservation) Delay() time.Duration {
	return time.Duration(max(0, r.ready-r.limiter.clock.Now()))
}

// Cancel gives back what no later reservation depends on: of the tokens that were taken since, by whatever call, each
// holds back one of these, because its time was told as if these were used. So the last of all reservations is given
// back whole, and so are several from the last to the first. What was taken since and given back again, by Refund or by a
// Cancel that was not the last, still counts as taken since.
//
// Nothing is created: without Refund and Charge, the tokens that are used keep to the limit in any stretch of time, counted
// by the moments at which they may be used, whoever cancels, in whatever order, before or after the time of a reservation;
// see the package's documentation for several limits. Nothing is given back above the burst, when the limits were set anew
// since, and by a second Cancel. It must not be called for tokens that were used. It never blocks.
func (r *Reservation) Cancel() {
	if r.ended.Swap(true) {
		return
	}
	r.state.do(cancel, r.limiter.clock.Now(), r.n, r.marks[:])
	r.limiter.queue.poke()
}
