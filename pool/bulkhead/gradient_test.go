package bulkhead

import (
	"testing"
	"time"
)

// A law is fed with windows of a second in which calls take 10 ms, as many as the limit allows.
func TestTheTimeWithoutAQueueIsMeasuredAnewEveryProbeEvery(t *testing.T) {
	const every = 10
	l := newGradient(Gradient{ProbeEvery: every * time.Second}, bounds{20, 1, 20})
	limit, last := 20, 0
	for second := 1; second <= 100; second++ {
		next, fresh := l.next(window{
			mean: float64(10 * time.Millisecond), calls: 1000, peak: limit, limit: limit, ended: int64(second) * int64(time.Second),
		})
		if fresh != (next < limit) || fresh && next != 10 {
			t.Fatalf("second %d: from %d to %d, fresh %v", second, limit, next, fresh)
		}
		if fresh {
			if second > 15 && second-last != every+1 { // the first two measurements confirm each other
				t.Errorf("second %d: a probe %d s after the last", second, second-last)
			}
			last = second
		}
		limit = next
	}
	if last < 80 {
		t.Errorf("the last probe was at second %d", last)
	}
}

// √limit is more than a tenth of a limit below 100: where drops leave it, a dependency that refuses everything is called
// more and more.
func TestAGradientFallsWhileItsDependencyDrops(t *testing.T) {
	for name, known := range map[string]bool{"before the time without a queue is known": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			l := newGradient(Gradient{}, bounds{20, 1, 1000})
			limit, ended := 20, int64(0)
			feed := func(drops int) (fresh bool) {
				ended += int64(time.Second / 5)
				w := window{calls: 100, drops: drops, peak: limit, limit: limit, ended: ended}
				if drops < 100 {
					w.mean = float64(10 * time.Millisecond)
				}
				limit, fresh = l.next(w)
				return fresh
			}
			if known {
				for range 50 {
					feed(0)
				}
			}
			for last := limit; limit > 1; last = limit {
				if fresh := feed(100); limit > last || !fresh {
					t.Fatalf("from %d to %d, fresh %v: the calls that brought a cut about must not bring about the next", last, limit, fresh)
				}
				if ended > int64(time.Minute) {
					t.Fatalf("the limit is %d after a minute", limit)
				}
			}
			for range 100 {
				feed(1) // one in a hundred is no sign of overload
			}
			if limit < 100 {
				t.Errorf("the limit is %d, 20 s after the drops", limit)
			}
		})
	}
}
