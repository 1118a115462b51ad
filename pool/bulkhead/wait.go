package bulkhead

import (
	"context"
	"errors"
	"time"
)

// lock begins a look at the queue. From here on nobody enters past it.
func (s *slots) lock() {
	s.queue.mu.Lock()
	s.word.Or(queuedBit)
}

// unlock ends it.
func (s *slots) unlock() {
	if s.queue.length.Load() == 0 {
		s.word.And(^uint64(queuedBit))
	}
	s.queue.mu.Unlock()
}

// room tells whether a slot is free. It is asked under the lock, where nobody else takes one.
func (s *slots) room() bool { return s.word.Load()&inflightMask < s.limit.Load() }

// serve gives the free slots to those whose turn it is. It is called under the lock.
func (s *slots) serve(now int64) {
	q := s.queue
	for q.length.Load() > 0 && s.room() {
		s.word.Add(entry)
		q.decide(q.turn(q.overloaded(now)), admitted)
	}
}

// handOn is for whoever has made room and seen the flag.
func (s *slots) handOn() {
	now := s.clock.Now()
	s.lock()
	s.serve(now)
	s.unlock()
}

// estimate returns how long it takes until so many calls more have got a slot, 0 when nothing is known. It is half of what
// a Duration holds at most, so that a clock's reading can be added.
func (s *slots) estimate(calls int64) time.Duration {
	return time.Duration(min(float64(s.typical.Get())*float64(calls)/float64(s.limit.Load()), 1<<62))
}

// join gives a call a slot or a place in the queue, or neither and the reason.
func (s *slots) join(ctx context.Context, now int64) (*waiter, Reason) {
	q, class := s.queue, classOf(ctx)
	s.lock()
	defer s.unlock()
	s.serve(now)
	if q.length.Load() == 0 && s.room() {
		s.word.Add(entry)
		return nil, 0
	}
	overloaded := q.overloaded(now)
	if at, ok := ctx.Deadline(); ok && now+int64(s.estimate(q.ahead(class, overloaded)+1)) > s.clock.At(at) {
		return nil, ReasonDeadline
	}
	if q.length.Load() >= q.max {
		highest := class - 1
		if overloaded {
			highest = class // the oldest of its own class would be answered too late
		}
		victim := q.last(highest, overloaded)
		if victim == nil {
			return nil, ReasonFull
		}
		q.decide(victim, displaced)
	}
	w := &waiter{class: class, since: now, decided: make(chan struct{})}
	q.push(w)
	return w, 0
}

// await returns when w has a slot, or the reason why it will get none.
func (s *slots) await(ctx context.Context, w *waiter) (Reason, error) {
	var timer *time.Timer
	for {
		select {
		case <-w.decided:
			return s.decided(ctx, w)
		default:
		}
		reason, patience := s.patience(w)
		if reason != 0 {
			return reason, nil
		}
		var expired <-chan time.Time
		if patience != Unlimited {
			if timer == nil {
				timer = time.NewTimer(patience)
				defer timer.Stop()
			} else {
				timer.Reset(patience)
			}
			expired = timer.C
		}
		select {
		case <-w.decided:
			return s.decided(ctx, w)
		case <-ctx.Done():
			if !s.abandon(w) {
				return s.decided(ctx, w)
			}
			return left(ctx)
		case <-expired:
		}
	}
}

// patience returns how much longer w may wait, or takes it from the queue when that is over.
func (s *slots) patience(w *waiter) (Reason, time.Duration) {
	q := s.queue
	now := s.clock.Now()
	s.lock()
	defer s.unlock()
	if w.place != queued {
		return 0, 0 // decided is closed
	}
	waited := time.Duration(now - w.since)
	rest := Unlimited
	if q.maxWait != Unlimited {
		if rest = q.maxWait - waited; rest <= 0 {
			q.decide(w, gone)
			return ReasonWait, 0
		}
	}
	overloaded := q.overloaded(now)
	if !overloaded {
		return 0, rest
	}
	soon := q.target - waited
	if soon <= 0 {
		if q.turn(overloaded) != w {
			q.decide(w, gone)
			return ReasonShed, 0
		}
		soon = q.target
	}
	if rest != Unlimited {
		soon = min(soon, rest)
	}
	return 0, soon
}

// abandon takes w from the queue. It is false when that has been decided otherwise.
func (s *slots) abandon(w *waiter) bool {
	s.lock()
	defer s.unlock()
	if w.place != queued {
		return false
	}
	s.queue.decide(w, gone)
	return true
}

// decided tells what w got. A slot that comes to a caller who is gone is handed on.
func (s *slots) decided(ctx context.Context, w *waiter) (Reason, error) {
	if w.place == displaced {
		return ReasonShed, nil
	}
	if ctx.Err() == nil {
		return 0, nil
	}
	s.retract()
	return left(ctx)
}

// left says why a caller has left the queue.
func left(ctx context.Context) (Reason, error) {
	err := ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		return ReasonDeadline, nil
	}
	return 0, err
}
