package ratelimit

import (
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
// learns of it at once. While reservations are pending, what is given back goes to others beside them. The error is
// [ErrNegative].
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
		s := l.state.Load()
		r.marks = r.room[:len(s.plan.buckets)]
		v, live := s.do(reserve, now, n, r.marks)
		switch {
		case !live:
			l.settled()
			continue
		case v.err != nil:
			return nil, v.err
		}
		s.plan.count(v)
		if !v.ok {
			return nil, &LimitedError{Name: l.name, Result: s.plan.result(r.marks, now, n, v)}
		}
		r.state = s
		delay, _, _ := s.plan.earliest(r.marks, now, 0)
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
	marks   []uint64 // the words that it left
	room    [MaxLimits]uint64
	ended   atomic.Bool
}

// Delay returns how long it takes from now until the tokens will have come in, 0 when they have.
func (r *Reservation) Delay() time.Duration {
	return time.Duration(max(0, r.ready-r.limiter.clock.Now()))
}

// Cancel gives back what no later reservation depends on: of the tokens that were taken since, by whatever call, each
// holds back one of these, because its time was told as if these were used. So the last of all reservations is given
// back whole, and so are several from the last to the first. Nothing is given back above the burst, when the limits were
// set anew since, and by a second Cancel. It must not be called for tokens that were used. It never blocks.
func (r *Reservation) Cancel() {
	if r.ended.Swap(true) {
		return
	}
	now := r.limiter.clock.Now()
	r.state.change(func(words []uint64) bool {
		r.state.plan.cancel(words, r.marks, now, r.n)
		return true
	})
	r.limiter.queue.poke()
}
