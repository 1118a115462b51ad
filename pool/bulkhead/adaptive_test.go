package bulkhead_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/bulkhead"
)

// The server of these tests has 40 workers, each call takes 50 ms on average, and 1.5 times as many calls come as it can
// answer. An answer is useful within 150 ms.
const (
	workers  = 40
	mean     = 50 * time.Millisecond
	overload = 1.5
	inTime   = 3 * mean
)

func rate(workers int, mean time.Duration, times float64) float64 {
	return times * float64(workers) / mean.Seconds()
}

func limited(t testing.TB, l bulkhead.Limit) *bulkhead.Bulkhead {
	t.Helper()
	b, err := bulkhead.New(bulkhead.Options{Limit: l})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// near checks that a limit is within 20 % of the best.
func near(t *testing.T, what string, got shown, best int) {
	t.Helper()
	t.Logf("%s: limit %.1f (%d to %d), best %d; %.0f useful/s, %v", what, got.limit, got.lowest, got.highest, best, got.useful, got.latency)
	if math.Abs(got.limit/float64(best)-1) > 0.2 {
		t.Errorf("%s: the limit is %.1f, want %d ± 20 %%", what, got.limit, best)
	}
}

// course is a run against a server that loses half of its workers and gets them back.
type course struct {
	settled, halved, back shown
}

// The server is whole for 10 s and then watched for 50, has half its workers for 20, and all again for 30. What is watched
// of the latter two begins when the time to follow is over: after 10 s, and after 20.
func follow(t testing.TB, l *load, each func(limit int)) (c course) {
	t.Helper()
	l.watch(10*time.Second, each)
	c.settled = l.watch(50*time.Second, each)
	l.s.resize(workers / 2)
	l.watch(10*time.Second, each)
	c.halved = l.watch(10*time.Second, each)
	l.s.resize(workers)
	l.watch(20*time.Second, each)
	c.back = l.watch(10*time.Second, each)
	l.calls.Wait()
	return c
}

func TestAGradientSettlesAtTheBestLimitAndFollowsTheCapacity(t *testing.T) {
	perS := rate(workers, mean, overload)
	best, useful := bestLimit(workers, mean, perS, inTime)
	bestHalved, _ := bestLimit(workers/2, mean, perS, inTime)
	synctest.Test(t, func(t *testing.T) {
		c := follow(t, newLoad(limited(t, bulkhead.Gradient{}), newServer(workers, mean), perS, inTime), nil)
		near(t, "settled", c.settled, best)
		near(t, "10 s after half of the capacity was lost", c.halved, bestHalved)
		near(t, "20 s after it came back", c.back, best)
		if c.settled.useful < 0.95*useful {
			t.Errorf("%.0f useful answers a second, want 0.95 of %.0f", c.settled.useful, useful)
		}
		t.Logf("goodput %.3f of the best", c.settled.useful/useful)
		// A fixed limit twice too large, for contrast.
		fixed := follow(t, newLoad(limited(t, bulkhead.Fixed(2*best)), newServer(workers, mean), perS, inTime), nil)
		t.Logf("fixed at %d: %.0f useful/s, %v; halved %.0f useful/s, %v; beside %.0f and %.0f, %v",
			2*best, fixed.settled.useful, fixed.settled.latency, fixed.halved.useful, fixed.halved.latency,
			c.settled.useful, c.halved.useful, c.halved.latency)
		if fixed.settled.latency < 3*c.settled.latency/2 || fixed.halved.useful > c.halved.useful/2 {
			t.Errorf("a fixed limit twice too large is no worse: %+v beside %+v", fixed, c)
		}
	})
}

// AIMD sees no queue: it finds where the server begins to refuse.
func TestAnAIMDSettlesWhereTheServerRefusesAndFollowsTheCapacity(t *testing.T) {
	const room = 10
	perS := rate(workers, mean, overload)
	synctest.Test(t, func(t *testing.T) {
		s := newServer(workers, mean)
		s.waiting = room
		c := follow(t, newLoad(limited(t, bulkhead.AIMD{}), s, perS, time.Hour), nil)
		near(t, "settled", c.settled, workers+room)
		near(t, "10 s after half of the capacity was lost", c.halved, workers/2+room)
		near(t, "20 s after it came back", c.back, workers+room)
		useful := usefulAt(workers+room, workers, mean, perS, 20*mean)
		if c.settled.useful < 0.95*useful {
			t.Errorf("%.0f answers a second, want 0.95 of %.0f", c.settled.useful, useful)
		}
		t.Logf("goodput %.3f of the best", c.settled.useful/useful)
	})
}

// With a Timeout AIMD also sees a server that never refuses: it stands where one call in a hundred takes too long.
func TestAnAIMDWithATimeoutStopsBeforeCallsTakeTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(limited(t, bulkhead.AIMD{Timeout: 10 * mean}), newServer(workers, mean), rate(workers, mean, overload), 10*mean)
		l.watch(time.Minute, nil)
		got := l.watch(time.Minute, nil)
		l.calls.Wait()
		if got.limit < workers || got.highest > 10*workers {
			t.Errorf("the limit is %.0f, up to %d", got.limit, got.highest)
		}
		if busy := rate(workers, mean, 1); got.useful < 0.95*busy {
			t.Errorf("%.0f in time of %.0f a second", got.useful, busy)
		}
	})
}

func TestALimitFollowsWorkThatBecomesSlowerOrFaster(t *testing.T) {
	perS := rate(workers, mean, overload)
	synctest.Test(t, func(t *testing.T) {
		s := newServer(workers, mean)
		l := newLoad(limited(t, bulkhead.Gradient{}), s, perS, inTime)
		l.watch(10*time.Second, nil)
		for _, took := range []time.Duration{2 * mean, mean} { // the workers are as many, and so is the best limit
			s.slow(took)
			best, _ := bestLimit(workers, took, perS, 3*took)
			l.watch(15*time.Second, nil)
			near(t, took.String(), l.watch(15*time.Second, nil), best)
		}
		l.calls.Wait()
	})
}

func TestOneCallThatIsVeryFastDoesNotPinTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limited(t, bulkhead.Gradient{ProbeEvery: time.Hour})
		l := newLoad(b, newServer(workers, mean), rate(workers, mean, overload), inTime)
		l.watch(5*time.Second, nil)
		for range 20 {
			_ = b.Do(t.Context(), nothing)
			l.watch(time.Second, nil)
		}
		if got := l.watch(5*time.Second, nil); got.limit < workers/2 {
			t.Errorf("the limit is %.1f", got.limit)
		}
		l.calls.Wait()
	})
}

func TestALimitThatIsHardlyUsedDoesNotGrowAndFallsToFiveTimesItsUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []bulkhead.Limit{bulkhead.Gradient{Initial: 200}, bulkhead.AIMD{Initial: 200}} {
			b := limited(t, limit)
			for range 2000 {
				_ = b.Do(t.Context(), func(ctx context.Context) error { time.Sleep(mean); return nil })
			}
			want := 200
			if _, gradient := limit.(bulkhead.Gradient); gradient {
				want = 5
			}
			if got := b.Stats().Limit; got != want {
				t.Errorf("%T: one call at a time, and the limit is %d, want %d", limit, got, want)
			}
		}
	})
}
