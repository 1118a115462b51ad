package limittest

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

func allOrNothing(s *suite) {
	s.make(
		ratelimit.Limit{Name: "short", Tokens: 3, Per: time.Second},
		ratelimit.Limit{Name: "middle", Tokens: 5, Per: 6 * time.Second},
		ratelimit.Limit{Name: "long", Tokens: 7, Per: 35 * time.Second},
	)
	for _, step := range []struct {
		sleep   time.Duration
		n       int64
		allowed bool
		binding string
	}{
		{0, 3, true, "short"},
		{0, 1, false, "short"},
		{0, 4, false, "short"}, // never
		{time.Second, 3, false, "middle"},
		{0, 2, true, "middle"}, // nothing was taken by the denials
		{time.Second, 3, false, "long"},
		{2500 * time.Millisecond, 2, true, "long"},
		{2500 * time.Millisecond, 2, false, "long"},
		{0, 1, true, "long"},
	} {
		s.sleep(step.sleep)
		if r := s.take(step.n); s.exact() && !s.harness.InOrder && (r.Allowed != step.allowed || r.Limit.Name != step.binding) {
			s.t.Errorf("Take(%d) at %v: %+v, want %v by %s", step.n, s.now(), r, step.allowed, step.binding)
		}
	}
	s.sleep(2 * time.Second)
	if s.harness.InOrder {
		return // the time at which it fits is that of one limit
	}
	s.denied(2)
	s.denied(1)
}

// binding has each of three limits deny in turn, and be the emptiest in turn.
func binding(s *suite) {
	a, b, c := ratelimit.PerSecond(10).Named("a"), ratelimit.PerSecond(5).WithBurst(8).Named("b"), ratelimit.PerMinute(60).WithBurst(12).Named("c")
	for _, limits := range [][]ratelimit.Limit{{a, b, c}, {c, b, a}, {b, c, a}} {
		s.make(limits...)
		for _, n := range []int64{0, 3, 0, 4, 2, 9, 11, 1, 1, 1, 13} {
			s.take(n)
			s.take(0)
		}
		for range 4 {
			s.sleep(time.Second)
			for _, n := range []int64{0, 8, 5, 3, 1} {
				s.take(n)
			}
		}
	}
	slow := ratelimit.PerSecond(1).WithBurst(10).Named("slow")
	for _, limits := range [][]ratelimit.Limit{{a, slow}, {slow, a}, {a, slow, a.WithBurst(20).Named("roomy")}} {
		s.make(limits...)
		for _, n := range []int64{6, 0, 4, 0} { // of those with as few left, the one that takes the longest to have more
			if r := s.take(n); s.exact() && !s.harness.InOrder && r.Limit.Name != "slow" {
				s.t.Errorf("Take(%d): %+v", n, r)
			}
		}
	}
	s.make(a, a.Named("same"))
	for _, n := range []int64{0, 6, 6, 11} { // the first of those that are alike
		if r := s.take(n); s.exact() && r.Limit.Name != "a" {
			s.t.Errorf("Take(%d): %+v", n, r)
		}
	}
}

func ends(s *suite) {
	all, none := s.other(ratelimit.Unlimited()), s.other(ratelimit.None())
	for _, n := range []int64{0, 1, math.MaxInt64} {
		want := ratelimit.Result{Allowed: true, Remaining: math.MaxInt64}
		r, err := all.Take(s.t.Context(), key, n)
		if want.Limit = r.Limit; err != nil || r != want || r.Limit.Tokens != ratelimit.Infinite {
			s.t.Errorf("Unlimited, Take(%d): %+v, %v", n, r, err)
		}
		r, err = none.Take(s.t.Context(), key, n)
		if err != nil || r.Allowed != (n == 0) || r.Never != (n > 0) || r.Remaining > 0 || r.RetryAfter != 0 || r.Limit.Burst != ratelimit.NoBurst {
			s.t.Errorf("None, Take(%d): %+v, %v", n, r, err)
		}
	}
	both := s.other(ratelimit.Unlimited(), ratelimit.PerDay(1).Named("day"))
	for _, want := range []bool{true, false} {
		if r, err := both.Take(s.t.Context(), key, 1); err != nil || r.Allowed != want || r.Limit.Name != "day" {
			s.t.Errorf("Unlimited and one per day: %+v, %v", r, err)
		}
	}
}

func shadow(s *suite) {
	trial := ratelimit.PerDay(1).Named("trial").Shadowed()
	for _, limits := range [][]ratelimit.Limit{
		{ratelimit.PerHour(5), trial},
		{trial, ratelimit.PerHour(5)},
		{trial, ratelimit.PerHour(5), trial.Named("another")},
	} {
		s.make(limits...)
		s.take(0)
		for range 7 {
			s.take(1)
			s.take(0)
		}
		s.take(6)
	}
	alone := s.other(trial)
	for _, n := range []int64{0, 1, 1, 2} {
		if r, err := alone.Take(s.t.Context(), key, n); err != nil || !r.Allowed || r.Never || r.RetryAfter != 0 || r.Limit.Name != "trial" {
			s.t.Errorf("a shadow alone, Take(%d): %+v, %v", n, r, err)
		}
	}
}

func asTheModel(s *suite) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, limits := range [][]ratelimit.Limit{
		{ratelimit.PerSecond(7)},
		{ratelimit.PerSecond(1_000_000).WithBurst(10)},
		{ratelimit.PerMinute(90).WithBurst(4)},
		{ratelimit.PerSecond(3000).WithBurst(5), ratelimit.PerSecond(4500).WithBurst(4).Named("b")},
		{ratelimit.PerSecond(10).WithBurst(30), ratelimit.PerMinute(60).Named("b"), ratelimit.PerHour(900).WithBurst(90).Named("c")},
	} {
		s.make(limits...)
		var last ratelimit.Result
		token := limits[0].Per / time.Duration(limits[0].Tokens)
		for range s.rounds(200) {
			switch random.IntN(4) {
			case 0:
				s.pass(last.RetryAfter)
			case 1:
				s.pass(last.RetryAfter - 1)
			case 2:
				s.sleep(time.Duration(random.Int64N(int64(3 * token))))
			}
			last = s.take(random.Int64N(6))
		}
	}
}

// together has goroutines take at one moment, or, when the clock does not stand, within a span of which it is known how
// many tokens come in.
func together(s *suite) {
	const burst, takers = 100, 64
	limit := ratelimit.PerDay(burst)
	s.make(limit, ratelimit.PerDay(burst+1).Named("another"))
	var all sync.WaitGroup
	var allowed atomic.Int64
	began := s.now()
	for range takers {
		all.Go(func() {
			for range 10 {
				if r, err := s.taker.Take(s.t.Context(), key, 1); err != nil {
					s.t.Error(err)
				} else if r.Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	all.Wait()
	more := int64((s.now() - began) / (s.scale(limit.Per) / burst))
	if got := allowed.Load(); got < burst || got > burst+more {
		s.t.Errorf("%d were allowed at one moment, want %d", got, burst)
	}
}
