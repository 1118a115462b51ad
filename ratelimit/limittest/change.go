package limittest

import (
	"errors"
	"math"
	"reflect"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// able returns the taker as one that has method. A taker need not have it, but not in another form either.
func able[T any](s *suite, method string) (able T, ok bool) {
	s.t.Helper()
	able, ok = s.taker.(T)
	if ok {
		return able, true
	}
	if _, has := reflect.TypeOf(s.taker).MethodByName(method); has {
		s.t.Errorf("the method %s of %T is not that of %v", method, s.taker, reflect.TypeFor[T]())
	} else {
		s.t.Logf("not tested: %T has no method %s", s.taker, method)
	}
	return able, false
}

// refunds needs a [ratelimit.Refunder].
func refunds(s *suite) {
	minute := ratelimit.PerMinute(60).Named("minute")
	s.make(ratelimit.PerSecond(10), minute)
	r, ok := able[ratelimit.Refunder](s, "Refund")
	if !ok {
		return
	}
	refund := func(n int64) {
		s.t.Helper()
		var err error
		at := s.during(func() { err = r.Refund(s.t.Context(), key, n) })
		if err != nil {
			s.t.Fatalf("Refund(%d): %v", n, err)
		}
		s.model.add(at, -n)
	}
	s.take(8)
	refund(3)
	s.expect(s.take(0), ratelimit.Result{Allowed: true, Remaining: 5, ResetAfter: 500 * time.Millisecond})
	s.take(6)
	s.take(5)
	s.sleep(250 * time.Millisecond)
	refund(2)
	s.expect(s.take(0), ratelimit.Result{Allowed: true, Remaining: 4, ResetAfter: 550 * time.Millisecond})
	refund(0)
	s.denied(5)
	refund(1e9)
	s.expect(s.take(0), ratelimit.Result{Allowed: true, Remaining: 10})
	s.take(11)
	s.take(10)
	refund(1)
	s.denied(2)
	if err := r.Refund(s.t.Context(), key, -1); !errors.Is(err, ratelimit.ErrNegative) {
		s.t.Errorf("Refund(-1): %v", err)
	}
	if err := r.Refund(s.t.Context(), key, math.MinInt64); !errors.Is(err, ratelimit.ErrNegative) {
		s.t.Errorf("Refund(-1<<63): %v", err)
	}
	s.take(0)
	if s.harness.Shared {
		return
	}
	if err := r.Refund(s.t.Context(), "nobody", 1); err != nil {
		s.t.Errorf("a refund to a full bucket: %v", err)
	}
	if r, err := s.taker.Take(s.t.Context(), "nobody", 0); err != nil || r.Remaining != 10 {
		s.t.Errorf("after a refund to a full bucket: %+v, %v", r, err)
	}
}

// charges needs a [Charger].
func charges(s *suite) {
	s.make(ratelimit.PerSecond(10), ratelimit.PerMinute(60).Named("minute"))
	c, ok := able[Charger](s, "Charge")
	if !ok {
		return
	}
	charge := func(n int64) {
		s.t.Helper()
		var err error
		at := s.during(func() { err = c.Charge(s.t.Context(), key, n) })
		if err != nil {
			s.t.Fatalf("Charge(%d): %v", n, err)
		}
		s.model.add(at, n)
	}
	s.take(4)
	charge(26)
	s.expect(s.take(1), ratelimit.Result{RetryAfter: 2100 * time.Millisecond, ResetAfter: 3 * time.Second})
	s.denied(1)
	charge(0)
	charge(35) // more than the first holds
	s.take(0)
	s.denied(2)
	charge(100) // more than either holds
	s.take(0)
	s.take(1)
	if r, ok := s.taker.(ratelimit.Refunder); ok { // of a debt
		at := s.during(func() {
			if err := r.Refund(s.t.Context(), key, 90); err != nil {
				s.t.Errorf("Refund(90): %v", err)
			}
		})
		s.model.add(at, -90)
		s.denied(1)
	}
	if err := c.Charge(s.t.Context(), key, -1); !errors.Is(err, ratelimit.ErrNegative) {
		s.t.Errorf("Charge(-1): %v", err)
	}
	for _, n := range []int64{1 << 40, math.MaxInt64} { // tens of thousands of years
		if err := c.Charge(s.t.Context(), key, n); !errors.Is(err, ratelimit.ErrHorizon) {
			s.t.Errorf("Charge(%d): %v", n, err)
		}
	}
	s.take(0)
}

// settings needs a [Setter].
func settings(s *suite) {
	s.make(ratelimit.PerSecond(10))
	setter, ok := able[Setter](s, "SetLimits")
	if !ok {
		return
	}
	set := func(limits ...ratelimit.Limit) {
		s.t.Helper()
		limits = s.scaled(limits)
		var err error
		at := s.during(func() { err = setter.SetLimits(s.t.Context(), key, limits) })
		if err != nil {
			s.t.Fatal(err)
		}
		s.model.set(at, limits)
	}
	s.take(6)
	s.sleep(100 * time.Millisecond) // half full
	set(ratelimit.PerMinute(60))
	s.expect(s.take(0), ratelimit.Result{Allowed: true, Remaining: 30, ResetAfter: 30 * time.Second})
	s.denied(31)                 // half of a token later and no earlier
	set(ratelimit.PerMinute(60)) // the same
	s.sleep(15 * time.Second)    // a quarter, of 29 that are missing
	set(ratelimit.PerSecond(4), ratelimit.Limit{Name: "slow", Tokens: 400, Per: 100 * time.Second})
	s.take(0)
	s.denied(3)
	s.take(3)
	set(ratelimit.Limit{Name: "slow", Tokens: 100, Per: 100 * time.Second}, ratelimit.PerSecond(20).Named("new"))
	s.take(0)
	s.denied(20) // as full as the one of its name, and the new one as the emptiest
	if c, ok := s.taker.(Charger); ok {
		at := s.during(func() {
			if err := c.Charge(s.t.Context(), key, 110); err != nil {
				s.t.Errorf("Charge(110): %v", err)
			}
		})
		s.model.add(at, 110)
		set(ratelimit.PerSecond(8).Named("slow"), ratelimit.PerSecond(16).Named("new")) // still in debt
		s.denied(1)
	}
	for range 5 { // shares that are no whole nanoseconds are rounded up
		set(ratelimit.PerSecond(7).WithBurst(13).Named("slow"), ratelimit.PerSecond(11).Named("new"))
		s.take(0)
		set(ratelimit.PerSecond(10).WithBurst(9).Named("slow"), ratelimit.PerSecond(4).WithBurst(7).Named("new"))
		s.denied(3)
	}
	for name, limits := range map[string][]ratelimit.Limit{"not valid": {{}}, "none": nil} {
		if err := setter.SetLimits(s.t.Context(), key, limits); err == nil {
			s.t.Errorf("limits that are %s were set", name)
		}
	}
	s.take(0)
}
