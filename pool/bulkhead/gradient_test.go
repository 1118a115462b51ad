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
