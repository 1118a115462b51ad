package ratelimit

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/internal/telemetry"
)

// Wait waits until a token is there and takes it. It returns nil when it has it, a [*LimitedError] when it will not get it
// in time, and ctx.Err() when ctx has ended; nothing was taken then.
//
// Calls wait in a queue, first come, first served. The first of it is timed for the moment at which its tokens will be
// there, and anew when something changes: others took some, some were given back, the limits were set. Nothing is taken
// before its time, so a call that leaves costs the others nothing. Takes that do not wait (Allow, Take) do not queue: with
// them about, one who waits gets only what they leave.
//
// A wait that would be longer than MaxWait, or until the deadline of ctx, is not begun, or ends as soon as that shows: at
// once for the first of the queue, and for those behind it when their time is over. The error of the latter is
// [context.DeadlineExceeded], too. When MaxWaiters calls wait, one more is refused at once. The RetryAfter of a refusal is
// the time until the tokens of the call will be there beside those of all who wait now.
func (l *Limiter) Wait(ctx context.Context) error { return l.WaitN(ctx, 1) }

// WaitN is [Limiter.Wait] for n tokens at once. n = 0 never waits. The error is [ErrNegative] when n is negative, and a
// [*LimitedError] with Never when n is more than the burst.
func (l *Limiter) WaitN(ctx context.Context, n int64) error {
	if n < 0 {
		return ErrNegative
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if n == 0 || l.queue.length.Load() == 0 && l.tryNow(n) {
		return nil
	}
	w := &waiter{n: n, turn: make(chan struct{}, 1)}
	began := l.clock.Now()
	var r Result
	var cause error
	joined := l.queue.join(w, func(ahead int64) (fits bool) {
		r, cause, fits = l.prospect(ctx, n, ahead+n, began)
		return fits
	})
	if !joined {
		return l.refuse(ctx, n, r, cause)
	}
	defer l.queue.leave(w)
	return l.stand(ctx, w, began)
}

// tryNow takes n tokens if they are there.
func (l *Limiter) tryNow(n int64) bool {
	now := l.clock.Now()
	for {
		s := l.state.Load()
		v, live := s.do(take, now, n, nil)
		if !live {
			l.settled()
			continue
		}
		if v.ok {
			s.plan.count(v)
		}
		return v.ok
	}
}

// stand waits in the queue. The timer is for MaxWait until w is the first, and then for its tokens.
func (l *Limiter) stand(ctx context.Context, w *waiter, began int64) error {
	timer := time.NewTimer(max(l.maxWait, 1))
	defer timer.Stop()
	var timeout <-chan time.Time
	if l.maxWait > 0 {
		timeout = timer.C
	}
	for first := false; ; {
		select {
		case <-w.turn:
			first = true
		case <-timeout:
			if !first && !w.called() {
				return l.giveUp(ctx, w, nil)
			}
			first = true
		case <-ctx.Done():
			if ctx.Err() == context.DeadlineExceeded { //nolint:errorlint // what a context returns
				return l.giveUp(ctx, w, context.DeadlineExceeded)
			}
			return ctx.Err()
		}
		if l.tryNow(w.n) {
			l.queue.waits.Record(ctx, 0, time.Duration(l.clock.Now()-began))
			return nil
		}
		r, cause, fits := l.prospect(ctx, w.n, w.n, began)
		if !fits {
			return l.giveUp(ctx, w, cause)
		}
		timer.Reset(r.RetryAfter)
		timeout = timer.C
	}
}

// prospect is outlook for a wait that began at that time, and whether it will end in time. If not, the cause is that of
// its error.
func (l *Limiter) prospect(ctx context.Context, n, total, began int64) (r Result, cause error, fits bool) {
	if r, fits = l.outlook(n, total); !fits {
		return r, nil, false // Never, or in years
	}
	waited := time.Duration(max(0, l.clock.Now()-began))
	if l.maxWait > 0 && r.RetryAfter > l.maxWait-waited {
		return r, nil, false
	}
	if deadline, ok := ctx.Deadline(); ok && r.RetryAfter >= time.Until(deadline) {
		return r, context.DeadlineExceeded, false
	}
	return r, nil, true
}

// outlook describes n tokens that come behind others: all together are total.
func (l *Limiter) outlook(n, total int64) (r Result, fits bool) {
	now := l.clock.Now()
	var room [MaxLimits]uint64
	for {
		s := l.state.Load()
		if words, live := s.read(&room); live {
			return s.plan.outlook(words, now, n, total)
		}
		l.settled()
	}
}

// giveUp is refuse for one that stands in the queue. All who wait now are ahead of it when it comes back.
func (l *Limiter) giveUp(ctx context.Context, w *waiter, cause error) error {
	r, _ := l.outlook(w.n, l.queue.demand())
	return l.refuse(ctx, w.n, r, cause)
}

// refuse counts and returns the error of a wait for n tokens that ends without them.
func (l *Limiter) refuse(ctx context.Context, n int64, r Result, cause error) error {
	l.cells.of(r.Limit.Name).Add(denied, 1)
	var room [MaxLimits]uint64
	if s := l.state.Load(); s.plan.shadowed() {
		if words, live := s.read(&room); live {
			s.plan.countShadows(s.plan.shadows(words, l.clock.Now(), n))
		}
	}
	return refuse(ctx, l.name, r, cause)
}

// queue is who waits, in order. Only the first of them is timed. Who leaves calls the next one, whatever it leaves for, and
// each is called at least once when it is the first.
type queue struct {
	most   int
	waits  *telemetry.Histogram
	length atomic.Int64 // changes under mu

	mu          sync.Mutex
	first, last *waiter
	tokens      int64 // of all that wait
}

// waiter is one of a queue.
type waiter struct {
	n          int64
	turn       chan struct{} // holds one call
	prev, next *waiter
}

// call tells w that it is the first, or that something has changed.
func (w *waiter) call() {
	select {
	case w.turn <- struct{}{}:
	default: // it was called and did not look yet
	}
}

// called tells whether w was called meanwhile.
func (w *waiter) called() bool {
	select {
	case <-w.turn:
		return true
	default:
		return false
	}
}

// join puts w at the end, unless there is no place or its wait does not fit behind the tokens that are waited for ahead of
// it. That is judged under the lock, so that a wait that is not begun is ahead of nobody.
func (q *queue) join(w *waiter, fits func(ahead int64) bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !fits(min(q.tokens, math.MaxInt64-w.n)) || int(q.length.Load()) >= q.most || w.n > math.MaxInt64-q.tokens {
		return false
	}
	q.tokens += w.n
	q.length.Add(1)
	if q.first == nil {
		q.first, q.last = w, w
		w.call()
		return true
	}
	w.prev = q.last
	q.last.next, q.last = w, w
	return true
}

// demand returns the tokens of all that wait.
func (q *queue) demand() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.tokens
}

// leave takes w out, and calls the one behind it if that is the first now.
func (q *queue) leave(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tokens -= w.n
	q.length.Add(-1)
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.last = w.prev
	}
	if w.prev != nil {
		w.prev.next = w.next
		return
	}
	if q.first = w.next; q.first != nil {
		q.first.call()
	}
}

// poke has the first timed anew.
func (q *queue) poke() {
	if q.length.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.first != nil {
		q.first.call()
	}
}
