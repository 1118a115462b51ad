package ratelimit_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/ratelimit"
)

func TestReservationsFollowEachOtherAtTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newWaiting(t, ratelimit.Options{}, ratelimit.PerSecond(10).WithBurst(2), ratelimit.PerMinute(60).Named("minute"))
		for i, want := range []int{0, 0, 100, 200, 300} {
			r, err := l.Reserve(1)
			if err != nil || r.Delay() != time.Duration(want)*time.Millisecond {
				t.Errorf("reservation %d: %v, %v", i, r.Delay(), err)
			}
		}
		r, err := l.Reserve(2)
		if err != nil || r.Delay() != 500*time.Millisecond {
			t.Errorf("%v, %v", r.Delay(), err)
		}
		time.Sleep(200 * time.Millisecond)
		if got := r.Delay(); got != 300*time.Millisecond {
			t.Errorf("after 200 ms the delay is %v", got)
		}
		time.Sleep(time.Hour)
		if got := r.Delay(); got != 0 {
			t.Errorf("after an hour the delay is %v", got)
		}
		if s := l.Stats(); s.Allowed != 6 || s.Denied != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhatCannotBeReservedTakesNothing(t *testing.T) {
	l := newWaiting(t, ratelimit.Options{Name: "test"}, ratelimit.PerSecond(5), ratelimit.PerDay(1).WithBurst(5).Named("day"))
	_, err := l.Reserve(6)
	if limited, ok := errors.AsType[*ratelimit.LimitedError](err); !ok || !limited.Result.Never || limited.Name != "test" {
		t.Errorf("more than the burst: %v", err)
	}
	if _, err := l.Reserve(-1); !errors.Is(err, ratelimit.ErrNegative) {
		t.Error(err)
	}
	if r, err := l.Reserve(0); err != nil || r.Delay() != 0 {
		t.Error(err)
	}
	const days = 365 * 200 // which fit; five times as many do not, though the other limit would have them
	if err := l.Charge(5 * days); !errors.Is(err, ratelimit.ErrHorizon) {
		t.Errorf("a debt of 1000 years: %v", err)
	}
	if err := l.Charge(math.MaxInt64); !errors.Is(err, ratelimit.ErrHorizon) {
		t.Errorf("a debt beyond all numbers: %v", err)
	}
	if err := errors.Join(l.Charge(days), l.Refund(days)); err != nil {
		t.Errorf("a debt of 200 years: %v", err)
	}
	if r, err := l.Take(5); err != nil || !r.Allowed {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestACancelledReservationIsGivenBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newWaiting(t, ratelimit.Options{}, ratelimit.Every(time.Second).WithBurst(3), ratelimit.PerHour(100).Named("hour"))
		a, _ := l.Reserve(2)
		b, _ := l.Reserve(2)
		if b.Delay() != time.Second {
			t.Errorf("b waits %v", b.Delay())
		}
		b.Cancel()
		b.Cancel()
		if r, err := l.Take(0); err != nil || r.Remaining != 1 {
			t.Errorf("after b was cancelled: %+v, %v", r, err)
		}
		a.Cancel()
		if r, err := l.Take(3); err != nil || !r.Allowed {
			t.Errorf("after a was cancelled: %+v, %v", r, err)
		}
		c, _ := l.Reserve(3)
		d, _ := l.Reserve(1)
		c.Cancel() // d counts on 1 of the 3
		if e, _ := l.Reserve(1); e.Delay() != 3*time.Second || d.Delay() != 4*time.Second {
			t.Errorf("after c was cancelled a new one waits %v, and d %v", e.Delay(), d.Delay())
		}
	})
}

// reserved is a reservation as the model sees it.
type reserved struct {
	r     *ratelimit.Reservation
	n     int64
	ready time.Duration
	full  time.Duration // when the bucket was full after it
	back  time.Duration // what had been given back until then
	used  bool
}

// Reservations are made and cancelled in any order, before and after their time, with takes between them. Whatever is used
// keeps to the limit in any stretch of time: so nothing is created. And what is given back is all but what was taken
// since: so nothing is lost that no later one depends on.
func TestReservationsThatAreCancelledInAnyOrderCreateAndLoseNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const token = 100 * time.Millisecond
		burst := rapid.Int64Range(1, 5).Draw(rt, "burst")
		type step struct {
			kind, which int
			n           int64
			sleep       time.Duration
		}
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				rapid.IntRange(0, 3).Draw(rt, "kind"), rapid.IntRange(0, 100).Draw(rt, "which"),
				rapid.Int64Range(1, burst).Draw(rt, "n"), time.Duration(rapid.SampledFrom([]int{0, 0, 0, 30, 100, 350}).Draw(rt, "sleep")) * time.Millisecond,
			}
		}), 1, 30).Draw(rt, "steps")
		fault := ""
		synctest.Test(t, func(t *testing.T) {
			l := newWaiting(t, ratelimit.Options{}, ratelimit.Every(token).WithBurst(burst))
			start := time.Now()
			debt := func() time.Duration { // until the bucket is full
				r, _ := l.Take(0)
				return r.ResetAfter
			}
			var all []*reserved
			var back time.Duration // given back by those that were not the last
			for i, s := range steps {
				time.Sleep(s.sleep)
				now := time.Since(start)
				switch {
				case s.kind < 2:
					r, err := l.Reserve(s.n)
					if err != nil {
						fault = err.Error()
						return
					}
					all = append(all, &reserved{r, s.n, now + r.Delay(), now + debt(), back, true})
				case s.kind == 2:
					if l.AllowN(s.n) {
						all = append(all, &reserved{nil, s.n, now, now + debt(), back, true})
					}
				case len(all) > 0:
					a := all[s.which%len(all)]
					if a.r == nil || !a.used {
						break
					}
					before := debt()
					a.r.Cancel()
					a.used = false
					since := max(0, now+before+back-a.back-a.full)
					want := min(max(0, time.Duration(a.n)*token-since), max(0, before-since))
					if got := before - debt(); got != want {
						fault = fmt.Sprintf("step %d: %v was given back of %d tokens with %v taken since, want %v", i, got, a.n, since, want)
						return
					}
					if since > 0 {
						back += want
					}
				}
			}
			var used []*reserved
			for _, a := range all {
				if a.used {
					used = append(used, a)
				}
			}
			slices.SortFunc(used, func(a, b *reserved) int { return int(a.ready - b.ready) })
			for i := range used {
				sum := int64(0)
				for _, b := range used[i:] {
					sum += b.n
					if most := burst + int64((b.ready-used[i].ready)/token); sum > most {
						fault = fmt.Sprintf("%d are used from %v to %v, at most %d may be", sum, used[i].ready, b.ready, most)
						return
					}
				}
			}
		})
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

func TestAReservationFromBeforeNewLimitsGivesNothingBack(t *testing.T) {
	l := newWaiting(t, ratelimit.Options{}, ratelimit.PerHour(2))
	r, err := l.Reserve(2)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.SetLimits([]ratelimit.Limit{ratelimit.PerHour(2)}); err != nil {
		t.Fatal(err)
	}
	r.Cancel()
	if l.Allow() {
		t.Error("a token came back")
	}
}

func TestChargesAndRefundsAreNotCountedAsTakes(t *testing.T) {
	l := newWaiting(t, ratelimit.Options{}, ratelimit.PerHour(2))
	k := newKeyed(t, ratelimit.PerHour(2), 0)
	if err := errors.Join(l.Charge(5), l.Refund(5), l.Charge(0), l.Refund(0), k.Charge("a", 5), k.Refund("a", 4), k.Refund("b", 1), k.Charge("c", 0)); err != nil {
		t.Error(err)
	}
	if l.Stats() != (ratelimit.Stats{}) || k.Stats() != (ratelimit.KeyedStats{Keys: 1}) {
		t.Errorf("%+v, %+v", l.Stats(), k.Stats())
	}
	if !l.AllowN(2) || !k.Allow("a") || k.Allow("a") {
		t.Error("what was refunded is not there, or more")
	}
	for _, err := range []error{l.Charge(-1), l.Refund(-1), k.Charge("a", -1), k.Refund("a", -1)} {
		if !errors.Is(err, ratelimit.ErrNegative) {
			t.Error(err)
		}
	}
}
