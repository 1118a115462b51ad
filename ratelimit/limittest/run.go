package limittest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// New makes the Taker under test with full buckets, for one test. It is called within a bubble of testing/synctest; what
// it starts is stopped by t.Cleanup.
type New func(t *testing.T, limits ...ratelimit.Limit) ratelimit.Taker

// Charger is a [ratelimit.Taker] that can take what is not there.
type Charger interface {
	// Charge takes n tokens of key, into debt.
	Charge(ctx context.Context, key string, n int64) error
}

// Setter is a [ratelimit.Taker] whose limits can be set at run time.
type Setter interface {
	// SetLimits gives key other limits; the buckets keep the share to which they are full.
	SetLimits(ctx context.Context, key string, limits []ratelimit.Limit) error
}

// key is the one key of the tests of Run.
const key = "ann"

// Run runs the suite as subtests of t.
func Run(t *testing.T, taker New) {
	t.Helper()
	run(t, "a burst, and then the rate to the nanosecond", taker, burstThenRate)
	run(t, "the answer of takes, denials and peeks", taker, answers)
	run(t, "more than the burst never fits", taker, never)
	run(t, "a bad number is an error and takes nothing", taker, negative)
	run(t, "a context that has ended takes nothing", taker, ended)
	run(t, "three limits take all or nothing", taker, allOrNothing)
	run(t, "a denial changes nothing", taker, denials)
	run(t, "unlimited and none", taker, ends)
	run(t, "a shadow denies nothing", taker, shadow)
	run(t, "as the model, at random", taker, asTheModel)
	run(t, "at one moment no more than the burst", taker, together)
	run(t, "refunds are exact, and never above the burst", taker, refunds)
	run(t, "a charge goes into debt", taker, charges)
	run(t, "limits that are set in mid-fill", taker, settings)
}

// RunKeys is Run for a Taker in which each key has buckets of its own.
func RunKeys(t *testing.T, taker New) {
	t.Helper()
	Run(t, taker)
	run(t, "keys do not share", taker, func(s *suite) {
		s.make(ratelimit.PerHour(2))
		for _, k := range []string{"a", "b", "", "a\x00b"} {
			for i, want := range []bool{true, true, false} {
				if r, err := s.taker.Take(s.t.Context(), k, 1); err != nil || r.Allowed != want {
					s.t.Errorf("take %d of key %q: %+v, %v", i+1, k, r, err)
				}
			}
		}
	})
}

func run(t *testing.T, name string, taker New, test func(s *suite)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(1234567 * time.Nanosecond)
			test(&suite{t: t, new: taker})
		})
	})
}

// suite is one test with its taker and, beside it, the model.
type suite struct {
	t     *testing.T
	new   New
	taker ratelimit.Taker
	model *model
	began time.Time
}

func (s *suite) make(limits ...ratelimit.Limit) {
	s.taker, s.model, s.began = s.new(s.t, limits...), newModel(limits), time.Now()
	time.Sleep(7654321 * time.Nanosecond)
}

func (s *suite) now() time.Duration { return time.Since(s.began) }

// take takes n tokens and compares the answer with the model's.
func (s *suite) take(n int64) ratelimit.Result {
	s.t.Helper()
	want := s.model.take(s.now(), n)
	got, err := s.taker.Take(s.t.Context(), key, n)
	if err != nil || got != want {
		s.t.Fatalf("Take(%d) at %v is\n%+v, %v, want\n%+v", n, s.now(), got, err, want)
	}
	return got
}

func burstThenRate(s *suite) {
	s.make(ratelimit.PerSecond(100).WithBurst(20))
	for range 20 {
		s.take(1)
	}
	for range 50 {
		denied := s.take(1)
		time.Sleep(denied.RetryAfter - 1)
		if r := s.take(1); r.Allowed || r.RetryAfter != 1 {
			s.t.Fatalf("a nanosecond early: %+v", r)
		}
		time.Sleep(time.Nanosecond)
		if r := s.take(1); !r.Allowed {
			s.t.Fatalf("at RetryAfter: %+v", r)
		}
	}
}

func answers(s *suite) {
	s.make(ratelimit.PerSecond(10).Named("ten"))
	limit := ratelimit.Limit{Name: "ten", Tokens: 10, Per: time.Second, Burst: 10}
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
		time.Sleep(step.sleep)
		step.want.Limit = limit
		if got := s.take(step.n); got != step.want {
			s.t.Errorf("Take(%d) is\n%+v, want\n%+v", step.n, got, step.want)
		}
	}
}

func never(s *suite) {
	s.make(ratelimit.PerHour(5))
	for _, n := range []int64{6, 1e12, math.MaxInt64} {
		if r := s.take(n); !r.Never || r.Allowed || r.RetryAfter != 0 || r.Remaining != 5 {
			s.t.Errorf("Take(%d): %+v", n, r)
		}
	}
	s.take(5)
}

func negative(s *suite) {
	s.make(ratelimit.PerHour(1))
	for _, n := range []int64{-1, math.MinInt64} {
		if r, err := s.taker.Take(s.t.Context(), key, n); !errors.Is(err, ratelimit.ErrNegative) || r.Allowed {
			s.t.Errorf("Take(%d): %+v, %v", n, r, err)
		}
	}
	s.take(1)
}

func ended(s *suite) {
	s.make(ratelimit.PerHour(1))
	ctx, cancel := context.WithCancel(s.t.Context())
	cancel()
	if r, err := s.taker.Take(ctx, key, 1); !errors.Is(err, context.Canceled) || r.Allowed {
		s.t.Errorf("%+v, %v", r, err)
	}
	s.take(1)
}

func allOrNothing(s *suite) {
	s.make(ratelimit.PerSecond(3).Named("second"), ratelimit.PerMinute(5).Named("minute"), ratelimit.PerHour(7).Named("hour"))
	for _, step := range []struct {
		sleep   time.Duration
		n       int64
		allowed bool
		binding string
	}{
		{0, 3, true, "second"},
		{0, 1, false, "second"},
		{0, 4, false, "second"}, // never
		{time.Second, 3, false, "minute"},
		{0, 2, true, "minute"}, // nothing was taken by the denials
		{time.Second, 3, false, "hour"},
		{time.Minute, 2, true, "hour"},
		{time.Minute, 1, false, "hour"},
	} {
		time.Sleep(step.sleep)
		if r := s.take(step.n); r.Allowed != step.allowed || r.Limit.Name != step.binding {
			s.t.Errorf("Take(%d) at %v: %+v, want %v by %s", step.n, s.now(), r, step.allowed, step.binding)
		}
	}
}

func denials(s *suite) {
	s.make(ratelimit.Every(time.Second))
	s.take(1)
	for range 1999 {
		time.Sleep(time.Millisecond / 2)
		if s.take(1).Allowed {
			s.t.Fatal("early")
		}
	}
	time.Sleep(time.Millisecond / 2)
	s.take(1)
}

func ends(s *suite) {
	s.make(ratelimit.PerHour(1)) // the model has no infinity
	all, none := s.new(s.t, ratelimit.Unlimited()), s.new(s.t, ratelimit.None())
	for _, n := range []int64{0, 1, math.MaxInt64} {
		if r, err := all.Take(s.t.Context(), key, n); err != nil || !r.Allowed || r.Remaining != math.MaxInt64 || r.ResetAfter != 0 {
			s.t.Errorf("Unlimited, Take(%d): %+v, %v", n, r, err)
		}
		if r, err := none.Take(s.t.Context(), key, n); err != nil || r.Allowed != (n == 0) || r.Never != (n > 0) || r.Remaining > 0 || r.RetryAfter != 0 {
			s.t.Errorf("None, Take(%d): %+v, %v", n, r, err)
		}
	}
	both := s.new(s.t, ratelimit.Unlimited(), ratelimit.PerHour(1).Named("hour"))
	for _, want := range []bool{true, false} {
		if r, err := both.Take(s.t.Context(), key, 1); err != nil || r.Allowed != want || r.Limit.Name != "hour" {
			s.t.Errorf("Unlimited and one per hour: %+v, %v", r, err)
		}
	}
}

func shadow(s *suite) {
	trial := ratelimit.PerHour(1).Named("trial").Shadowed()
	s.make(ratelimit.PerHour(5), trial)
	s.model = newModel([]ratelimit.Limit{ratelimit.PerHour(5)})
	for range 7 {
		s.take(1)
	}
	s.take(6)
	alone := s.new(s.t, trial)
	for range 3 {
		if r, err := alone.Take(s.t.Context(), key, 1); err != nil || !r.Allowed || r.Never || r.RetryAfter != 0 || r.Limit.Name != "trial" {
			s.t.Errorf("a shadow alone: %+v, %v", r, err)
		}
	}
}

func asTheModel(s *suite) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, limits := range [][]ratelimit.Limit{
		{ratelimit.PerSecond(7)},
		{ratelimit.PerSecond(1_000_000).WithBurst(10)},
		{ratelimit.PerMinute(90).WithBurst(4)},
		{{Tokens: 3, Per: 1000, Burst: 5}, ratelimit.PerSecond(9e6).WithBurst(4).Named("b")},
		{ratelimit.PerSecond(10).WithBurst(30), ratelimit.PerMinute(60).Named("b"), ratelimit.PerHour(900).WithBurst(90).Named("c")},
	} {
		s.make(limits...)
		var last ratelimit.Result
		token := limits[0].Per / time.Duration(limits[0].Tokens)
		for range 500 {
			switch random.IntN(4) {
			case 0:
				time.Sleep(last.RetryAfter)
			case 1:
				time.Sleep(max(0, last.RetryAfter-1))
			case 2:
				time.Sleep(time.Duration(random.Int64N(int64(3 * token))))
			}
			last = s.take(random.Int64N(6))
		}
	}
}

func together(s *suite) {
	const burst, takers = 100, 64
	s.make(ratelimit.PerHour(burst), ratelimit.PerDay(burst+1).Named("day"))
	var all sync.WaitGroup
	var allowed atomic.Int64
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
	if got := allowed.Load(); got != burst {
		s.t.Errorf("%d were allowed at one moment, want %d", got, burst)
	}
}
