package limittest_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/joist-go/joist/ratelimit"
	"github.com/joist-go/joist/ratelimit/limittest"
)

// served is a Taker by the clock of this process, which is virtual in a bubble.
func served(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
	start := time.Now()
	return newServer(func() int64 { return microseconds(start) }, limits...)
}

// slowly is the harness of a server with another taker.
func slowly(taker func(testing.TB, ...ratelimit.Limit) ratelimit.Taker) limittest.Harness {
	h := harnessOfServer()
	h.New = taker
	return h
}

func TestATakerWithARealClockKeepsTheContract(t *testing.T) { contractOfServer(t) }

func TestATakerOfMicrosecondsInVirtualTimeKeepsTheContract(t *testing.T) {
	limittest.Run(t, limittest.Harness{New: served, Resolution: time.Microsecond})
}

func TestATakerWhoseClockIsSetByHandKeepsTheContract(t *testing.T) {
	var clock atomic.Int64 // nanoseconds
	origin := time.Now()
	limittest.Run(t, limittest.Harness{
		New: func(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
			return newServer(func() int64 { return clock.Load() / 1000 }, limits...)
		},
		Sleep:      func(d time.Duration) { clock.Add(int64(d)) },
		Now:        func() time.Time { return origin.Add(time.Duration(clock.Load())) },
		Resolution: time.Microsecond,
	})
}

func TestALimiterKeepsTheContractInRealTime(t *testing.T) {
	h := slowly(limiter)
	h.Shared, h.Resolution = true, 0
	limittest.Run(t, h)
}

func TestAChainKeepsTheContractInRealTime(t *testing.T) {
	h := slowly(chain)
	h.InOrder, h.Resolution = true, 0
	limittest.Run(t, h)
}

// spoilt is a server with a fault.
type spoilt struct {
	*server
	answer func(r *ratelimit.Result)
	key    func(key string) string
}

func (s spoilt) Take(ctx context.Context, key string, n int64) (ratelimit.Result, error) {
	if s.key != nil {
		key = s.key(key)
	}
	r, err := s.server.Take(ctx, key, n)
	if s.answer != nil {
		s.answer(&r)
	}
	return r, err
}

// By a real clock, too, the suite finds what is wrong: by so much that no delay within a call explains it.
func TestTheSuiteFindsATakerThatIsWrongByARealClock(t *testing.T) {
	const never, several, keys = "more than the burst never fits", "three limits take all or nothing", "keys do not share"
	for name, c := range map[string]struct {
		test  string
		speed int64
		wrong spoilt
	}{
		"a clock that runs twice as fast": {several, 2, spoilt{}},
		"a clock that stands":             {several, 0, spoilt{}},
		"half of the wait is told": {never, 1, spoilt{answer: func(r *ratelimit.Result) {
			r.RetryAfter /= 2
		}}},
		"twice the wait is told": {never, 1, spoilt{answer: func(r *ratelimit.Result) {
			r.RetryAfter *= 2
		}}},
		"a token more is told": {never, 1, spoilt{answer: func(r *ratelimit.Result) {
			r.Remaining++
		}}},
		"keys share": {keys, 1, spoilt{key: func(string) string { return "" }}},
	} {
		t.Run(name, func(t *testing.T) {
			h := slowly(func(_ testing.TB, limits ...ratelimit.Limit) ratelimit.Taker {
				start, taker := time.Now(), c.wrong
				taker.server = newServer(func() int64 { return c.speed * microseconds(start) }, limits...)
				return taker
			})
			if len(limittest.FaultsOf(t, h, c.test)) == 0 {
				t.Errorf("%q finds nothing", c.test)
			}
		})
	}
}
