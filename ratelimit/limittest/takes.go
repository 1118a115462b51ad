package limittest

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

func burstThenRate(s *suite) {
	s.make(ratelimit.PerSecond(100).WithBurst(20))
	for range 20 {
		s.take(1)
	}
	for range s.rounds(50) {
		s.denied(1)
	}
}

func answers(s *suite) {
	s.make(ratelimit.PerSecond(10).Named("ten"))
	for _, step := range []struct {
		sleep time.Duration
		n     int64
		want  ratelimit.Result
	}{
		{0, 0, ratelimit.Result{Allowed: true, Remaining: 10}},
		{0, 7, ratelimit.Result{Allowed: true, Remaining: 3, ResetAfter: 700 * time.Millisecond}},
		{0, 0, ratelimit.Result{Allowed: true, Remaining: 3, ResetAfter: 700 * time.Millisecond}},
		{0, 5, ratelimit.Result{Remaining: 3, RetryAfter: 200 * time.Millisecond, ResetAfter: 700 * time.Millisecond}},
		{150 * time.Millisecond, 5, ratelimit.Result{Remaining: 4, RetryAfter: 50 * time.Millisecond, ResetAfter: 550 * time.Millisecond}},
		{50 * time.Millisecond, 5, ratelimit.Result{Allowed: true, ResetAfter: time.Second}},
		{2 * time.Second, 10, ratelimit.Result{Allowed: true, ResetAfter: time.Second}},
		{99 * time.Millisecond, 1, ratelimit.Result{RetryAfter: time.Millisecond, ResetAfter: 901 * time.Millisecond}},
	} {
		s.sleep(step.sleep)
		s.expect(s.take(step.n), step.want)
	}
	s.denied(7)
}

func peeks(s *suite) {
	s.make(ratelimit.PerSecond(10).WithBurst(3))
	for range 5 {
		s.take(0)
	}
	s.take(3)
	for range 5 {
		s.take(0)
	}
	s.denied(1)
	s.take(0)
	s.denied(3)
}

func never(s *suite) {
	s.make(ratelimit.PerHour(5))
	for _, n := range []int64{6, 1e12, math.MaxInt64} {
		if r := s.take(n); !r.Never || r.Remaining != 5 {
			s.t.Errorf("Take(%d): %+v", n, r)
		}
	}
	s.take(5)
	s.take(6)
	s.take(5)
}

func negative(s *suite) {
	s.make(ratelimit.PerHour(2))
	s.take(1) // so that there is room for what would be given
	for _, n := range []int64{-1, math.MinInt64} {
		if r, err := s.taker.Take(s.t.Context(), key, n); !errors.Is(err, ratelimit.ErrNegative) || r.Allowed {
			s.t.Errorf("Take(%d): %+v, %v", n, r, err)
		}
	}
	s.take(1)
	s.take(1)
}

func ended(s *suite) {
	s.make(ratelimit.PerHour(1))
	left, leave := context.WithCancel(s.t.Context())
	leave()
	late, end := context.WithDeadline(s.t.Context(), time.Unix(0, 0))
	defer end()
	for ctx, want := range map[context.Context]error{left: context.Canceled, late: context.DeadlineExceeded} {
		if r, err := s.taker.Take(ctx, key, 1); !errors.Is(err, want) || r.Allowed {
			s.t.Errorf("%+v, %v, want %v", r, err, want)
		}
	}
	s.take(1)
}

func denials(s *suite) {
	s.make(ratelimit.Every(time.Second), ratelimit.PerMinute(90).Named("minute"))
	s.take(1)
	for range s.rounds(199) {
		s.sleep(5 * time.Millisecond)
		s.take(1)
	}
	s.denied(1)
}

// drift takes at rates whose tokens come in between nanoseconds: a taker may be off by a nanosecond, and no further
// however long it goes on.
func drift(s *suite) {
	for _, limit := range []ratelimit.Limit{
		ratelimit.PerSecond(17),
		{Tokens: 7919, Per: time.Minute, Burst: 3},
		{Tokens: 300_007, Per: time.Second, Burst: 100},
	} {
		s.make(limit)
		s.model.rounding.SetInt64(1)
		for range s.rounds(200) {
			if r := s.take(1); !r.Allowed {
				s.pass(r.RetryAfter)
			}
		}
	}
}

func keys(s *suite) {
	s.make(ratelimit.PerHour(2))
	for _, k := range []string{"a", "b", "", "a\x00b"} {
		for i, want := range []bool{true, true, false} {
			if r, err := s.taker.Take(s.t.Context(), k, 1); err != nil || r.Allowed != want {
				s.t.Errorf("take %d of key %q: %+v, %v", i+1, k, r, err)
			}
		}
	}
	s.take(2) // of one that is left
}
