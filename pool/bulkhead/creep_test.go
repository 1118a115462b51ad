//go:build !race

package bulkhead_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/joist-go/joist/pool/bulkhead"
)

// An average of past times would take the queue for a part of the work, a little more each minute.
func TestALimitDoesNotCreepUpUnderAnHourOfMildOverload(t *testing.T) {
	const few, slow, mild = 20, 100 * time.Millisecond, 1.1
	perS := rate(few, slow, mild)
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			limit bulkhead.Limit
			room  int
		}{{bulkhead.Gradient{}, 0}, {bulkhead.AIMD{}, 8}} {
			s := newServer(few, slow)
			s.waiting = c.room
			l := newLoad(limited(t, c.limit), s, perS, 3*slow)
			l.watch(time.Minute, nil)
			first := l.watch(10*time.Minute, nil)
			l.watch(39*time.Minute, nil)
			last := l.watch(10*time.Minute, nil)
			l.calls.Wait()
			t.Logf("%T: minutes 1 to 11: %+v; minutes 50 to 60: %+v", c.limit, first, last)
			if last.limit > 1.1*first.limit || last.limit < 0.9*first.limit {
				t.Errorf("%T: the limit went from %.1f to %.1f", c.limit, first.limit, last.limit)
			}
			best, useful := bestLimit(few, slow, perS, 3*slow)
			if c.room > 0 {
				best = few + c.room
			} else if last.useful < 0.95*useful {
				t.Errorf("%.1f useful answers a second, want 0.95 of %.1f", last.useful, useful)
			}
			near(t, "after an hour", last, best)
		}
	})
}

func TestAnAdaptiveLimitFollowsCallsOf50Microseconds(t *testing.T) {
	const tiny, few = 50 * time.Microsecond, 10
	perS := rate(few, tiny, overload)
	for name, c := range map[string]struct {
		limit bulkhead.Limit
		room  int
	}{
		"gradient": {bulkhead.Gradient{Initial: 30}, 0},
		"aimd":     {bulkhead.AIMD{Initial: 100}, few / 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(few, tiny)
				s.waiting = c.room
				l := newLoad(limited(t, c.limit), s, perS, 3*tiny)
				best, _ := bestLimit(few, tiny, perS, 3*tiny)
				if c.room > 0 {
					best = few + c.room
				}
				l.watch(5*time.Second, nil)
				near(t, "down from its Initial", l.watch(time.Second/2, nil), best)
				l.calls.Wait()
			})
		})
	}
}
