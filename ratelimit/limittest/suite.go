package limittest

import (
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// key is the one key of the tests that are not about keys.
const key = "ann"

// suite is one test with its taker and, beside it, the model.
type suite struct {
	t       testing.TB
	harness Harness
	taker   ratelimit.Taker
	model   *model
	began   time.Time
	vague   bool // time passed during a call: the model knows what is right only within bounds
}

// make makes the taker and the model of limits, which are scaled.
func (s *suite) make(limits ...ratelimit.Limit) {
	s.began = s.harness.Now()
	limits = s.scaled(limits)
	s.taker, s.model = s.harness.New(s.t, limits...), newModel(limits, s.harness)
	s.sleep(7654321 * time.Nanosecond)
}

// other makes another taker, without a model.
func (s *suite) other(limits ...ratelimit.Limit) ratelimit.Taker {
	return s.harness.New(s.t, s.scaled(limits)...)
}

// scaled returns limits in the seconds of the harness.
func (s *suite) scaled(limits []ratelimit.Limit) []ratelimit.Limit {
	short := make([]ratelimit.Limit, len(limits))
	for i, l := range limits {
		l.Per = s.scale(l.Per)
		short[i] = l
	}
	return short
}

func (s *suite) scale(d time.Duration) time.Duration { return d / (time.Second / s.harness.Second) }

// rounds returns how often a loop goes round in virtual time n times.
func (s *suite) rounds(n int) int {
	return max(20, n/int(time.Second/s.harness.Second))
}

// sleep lets time pass that is written in seconds of the suite.
func (s *suite) sleep(d time.Duration) { s.pass(s.scale(d)) }

// pass lets time pass.
func (s *suite) pass(d time.Duration) {
	switch {
	case d <= 0:
	case s.harness.Sleep != nil:
		s.harness.Sleep(d)
	default:
		time.Sleep(d)
	}
}

// now reads the clock.
func (s *suite) now() time.Duration { return s.harness.Now().Sub(s.began) }

// exact tells that the taker must answer to the nanosecond, and not within bounds.
func (s *suite) exact() bool { return !s.vague && s.harness.Resolution == 1 }

// during calls fn and returns between which moments it was.
func (s *suite) during(fn func()) span {
	from := s.now()
	fn()
	to := s.now()
	s.vague = s.vague || from != to
	return between(from-s.harness.Resolution+1, to)
}

// take takes n tokens and compares the answer with the model.
func (s *suite) take(n int64) (r ratelimit.Result) {
	s.t.Helper()
	var err error
	at := s.during(func() { r, err = s.taker.Take(s.t.Context(), key, n) })
	if err != nil {
		s.t.Fatalf("Take(%d): %v", n, err)
	}
	if fault := s.model.take(at, n, r); fault != "" {
		s.t.Fatalf("Take(%d) at %v is %+v:\n%s", n, at, r, fault)
	}
	return r
}

// denied takes n tokens that must be denied, as far as that is known, and lets pass what the answer says but for a
// nanosecond, and then that. They must be allowed then.
func (s *suite) denied(n int64) {
	s.t.Helper()
	r := s.take(n)
	if r.Allowed {
		if s.exact() {
			s.t.Fatalf("Take(%d) is %+v", n, r)
		}
		return
	}
	s.pass(r.RetryAfter - 1)
	early := s.take(n)
	if early.Allowed && !s.exact() {
		return
	}
	if s.exact() && (early.Allowed || early.RetryAfter != 1) {
		s.t.Fatalf("Take(%d) a nanosecond before RetryAfter is %+v", n, early)
	}
	s.pass(early.RetryAfter)
	if late := s.take(n); !late.Allowed {
		s.t.Fatalf("Take(%d) at RetryAfter is %+v", n, late)
	}
}

// expect compares an answer with what the contract says in figures, where time has not blurred them.
func (s *suite) expect(r, want ratelimit.Result) {
	s.t.Helper()
	want.RetryAfter, want.ResetAfter = s.scale(want.RetryAfter), s.scale(want.ResetAfter)
	want.Limit = r.Limit // which the model compares
	if s.exact() && r != want {
		s.t.Errorf("the answer is\n%+v, want\n%+v", r, want)
	}
}
