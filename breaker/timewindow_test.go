package breaker

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/joist-go/joist/internal/clock"
)

const span = 100 // nanoseconds per bucket, in these tests

func newWindow(now int64) *timeWindow {
	w := new(timeWindow)
	w.init(span, now, true, true)
	return w
}

func wantSum(t *testing.T, w *timeWindow, now int64, ok, failed int64) {
	t.Helper()
	want := census{calls: ok + failed, failed: failed}
	if got := w.census(now, w.quick.all()[0].Load()>>tagShift); got != want {
		t.Fatalf("at %d the window holds %+v, want %+v", now, got, want)
	}
}

func wantTotals(t *testing.T, w *timeWindow, ok, failed int64) {
	t.Helper()
	if gotOK, gotFailed := w.total(success), w.total(failure); gotOK != ok || gotFailed != failed {
		t.Fatalf("in total %d successes and %d failures, want %d and %d", gotOK, gotFailed, ok, failed)
	}
}

func TestEachBucketLeavesAfterTenSpans(t *testing.T) {
	for _, start := range []int64{0, 12345, -1, -987654, math.MinInt64 / 4} {
		w := newWindow(start)
		first := clock.FloorDiv(start, span) * span
		for i := range int64(30) {
			w.add(first+i*span, 0, success)
			w.add(first+i*span+span-1, 0, failure)
			n := min(i+1, buckets)
			wantSum(t, w, first+i*span, n, n)
			wantTotals(t, w, i+1, i+1)
		}
		wantSum(t, w, first+39*span, 0, 0)
		wantTotals(t, w, 30, 30)
	}
}

func TestAnOlderReadingCountsInTheCurrentBucket(t *testing.T) {
	w := newWindow(0)
	w.add(50*span, 0, success)
	w.add(3*span, 0, failure)
	wantSum(t, w, 50*span, 1, 1)
	wantSum(t, w, 60*span, 0, 0)
}

func TestWhileAnotherTurnsTheWindowNobodyWaits(t *testing.T) {
	w := newWindow(0)
	w.turning.Lock() // somebody turns, and takes its time
	if landed, _ := w.add(5*span, 0, success); !landed {
		t.Fatal("lost")
	}
	w.turning.Unlock()
	wantTotals(t, w, 1, 0)
}

func TestAnOutcomeOfAnEarlierGenerationDoesNotLand(t *testing.T) {
	w := newWindow(0)
	w.add(0, 0, success)
	w.reset(1)
	for _, o := range []outcome{success, failure, slow, slow | failure} {
		if landed, suspect := w.add(1, 0, o); landed || suspect {
			t.Fatal("landed in a window that was reset")
		}
	}
	if w.amend(1, 0, success) {
		t.Fatal("amended what was reset")
	}
	wantSum(t, w, 1, 0, 0)
	wantTotals(t, w, 1, 0)
	if landed, _ := w.add(1, 1, success); !landed {
		t.Fatal("the new generation does not count")
	}
}

func TestAFailureOfAnEarlierGenerationIsInNoRow(t *testing.T) {
	var r row
	r.reset(7)
	if n := r.add(6, failure); n != 0 || r.length(7) != 0 || r.length(6) != 0 {
		t.Fatalf("%d, and %d in a row", n, r.length(7))
	}
	if r.add(7, failure) != 1 || r.add(6, success) != 0 || r.length(7) != 1 {
		t.Fatalf("a success of an earlier generation ended the row: %d", r.length(7))
	}
}

func TestAFullBucketKeepsItsRatioAndTheTotals(t *testing.T) {
	for _, o := range []outcome{success, failure} {
		w := newWindow(0)
		w.quick.word(0).Store(countMax<<countBits | countMax/4)
		if o == failure {
			w.quick.word(0).Store(countMax | countMax/4<<countBits)
		}
		before := w.total(success) + w.total(failure)
		w.add(0, 0, o)
		if after := w.total(success) + w.total(failure); after != before+1 {
			t.Fatalf("totals went from %d to %d", before, after)
		}
		ok, failed := w.quick.sum(0)
		many, few := max(ok, failed), min(ok, failed)
		if ratio := float64(many) / float64(few); math.Abs(ratio-4) > 0.001 || many > countMax/2+1 {
			t.Fatalf("%d and %d", ok, failed)
		}
	}
}

func TestASuccessIsSuspectOnlyWhileItCanTrip(t *testing.T) {
	w := newWindow(0)
	suspect := func(now int64, o outcome) bool {
		landed, s := w.add(now, 0, o)
		if !landed {
			t.Fatal("did not land")
		}
		return s
	}
	if suspect(0, success) {
		t.Error("a success without any failure")
	}
	if !suspect(0, failure) || !suspect(0, success) || !suspect(9*span, success) {
		t.Error("not suspect with a failure in the window")
	}
	w.settled.Store(settledKey(9, 0))
	if suspect(9*span+1, success) {
		t.Error("a success in a bucket that is settled")
	}
	if !suspect(9*span+2, failure) {
		t.Error("a failure is not suspect")
	}
	if !suspect(10*span, success) {
		t.Error("not suspect after the window has turned")
	}
	if suspect(19*span, success) {
		t.Error("a success when the failures have left")
	}
}

func TestConcurrentOutcomesAreCountedOnce(t *testing.T) {
	const goroutines, each = 8, 3000
	w := newWindow(0)
	var reading, landed atomic.Int64
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				now := reading.Add(7)
				o := success
				if i%3 == 0 {
					o = failure
				}
				if ok, _ := w.add(now, 0, o); ok {
					landed.Add(1)
				}
				if g == 0 && i%100 == 0 {
					w.amend(now, 0, success)
				}
			}
		})
	}
	wg.Wait()
	if landed.Load() != goroutines*each {
		t.Errorf("%d of %d landed", landed.Load(), goroutines*each)
	}
	wantTotals(t, w, goroutines*each*2/3-each/100, goroutines*each/3+each/100)
}
