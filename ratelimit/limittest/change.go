package limittest

import (
	"errors"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// refunds needs a [ratelimit.Refunder].
func refunds(s *suite) {
	s.make(ratelimit.PerSecond(10), ratelimit.PerMinute(60).Named("minute"))
	r, ok := s.taker.(ratelimit.Refunder)
	if !ok {
		return
	}
	refund := func(n int64) {
		s.t.Helper()
		if err := r.Refund(s.t.Context(), key, n); err != nil {
			s.t.Error(err)
		}
	}
	s.take(8)
	refund(3)
	s.model.add(s.now(), -3)
	s.take(0)
	s.take(6)
	s.take(5)
	time.Sleep(250 * time.Millisecond)
	refund(2)
	s.model.add(s.now(), -2)
	s.take(0)
	refund(1e9)
	s.model = newModel(s.model.limits) // full again
	s.take(11)
	s.take(10)
	if err := r.Refund(s.t.Context(), key, -1); !errors.Is(err, ratelimit.ErrNegative) {
		s.t.Errorf("Refund(-1): %v", err)
	}
	if err := r.Refund(s.t.Context(), "nobody", 1); err != nil {
		s.t.Errorf("a refund to a full bucket: %v", err)
	}
}

// charges needs a [Charger].
func charges(s *suite) {
	s.make(ratelimit.PerSecond(10), ratelimit.PerMinute(60).Named("minute"))
	c, ok := s.taker.(Charger)
	if !ok {
		return
	}
	charge := func(n int64) {
		s.t.Helper()
		s.model.add(s.now(), n)
		if err := c.Charge(s.t.Context(), key, n); err != nil {
			s.t.Error(err)
		}
	}
	s.take(4)
	charge(26)
	denied := s.take(1)
	if denied.Remaining != 0 || denied.RetryAfter != 2100*time.Millisecond {
		s.t.Errorf("30 of 10 were taken: %+v", denied)
	}
	time.Sleep(denied.RetryAfter - 1)
	s.take(1)
	time.Sleep(time.Nanosecond)
	s.take(1)
	charge(35) // more than either holds
	s.take(0)
	if err := c.Charge(s.t.Context(), key, -1); !errors.Is(err, ratelimit.ErrNegative) {
		s.t.Errorf("Charge(-1): %v", err)
	}
	s.take(0)
}

// settings needs a [Setter].
func settings(s *suite) {
	s.make(ratelimit.PerSecond(10))
	setter, ok := s.taker.(Setter)
	if !ok {
		return
	}
	set := func(limits ...ratelimit.Limit) {
		s.t.Helper()
		if err := setter.SetLimits(s.t.Context(), key, limits); err != nil {
			s.t.Fatal(err)
		}
	}
	expect := func(limit string, remaining int64, reset time.Duration) {
		s.t.Helper()
		r, err := s.taker.Take(s.t.Context(), key, 0)
		if err != nil || r.Limit.Name != limit || r.Remaining != remaining || r.ResetAfter != reset {
			s.t.Errorf("%+v, %v, want %d of %s and %v", r, err, remaining, limit, reset)
		}
	}
	s.take(6)
	time.Sleep(100 * time.Millisecond) // half full
	set(ratelimit.PerMinute(60))
	expect("default", 30, 30*time.Second)
	time.Sleep(15 * time.Second) // three quarters
	set(ratelimit.PerSecond(8), ratelimit.PerHour(400).Named("hour"))
	expect("default", 6, 250*time.Millisecond)
	time.Sleep(250 * time.Millisecond)
	if r, err := s.taker.Take(s.t.Context(), key, 8); err != nil || !r.Allowed {
		s.t.Errorf("a full bucket: %+v, %v", r, err)
	}
	set(ratelimit.PerHour(4).Named("hour")) // of 400 tokens 308 were there, and a fourtieth of one came in
	if r, err := s.taker.Take(s.t.Context(), key, 0); err != nil || r.Remaining != 2 || r.Limit.Name != "hour" {
		s.t.Errorf("the share of its name: %+v, %v", r, err)
	}
	if err := setter.SetLimits(s.t.Context(), key, []ratelimit.Limit{{}}); err == nil {
		s.t.Error("a limit that is not valid was set")
	}
}
