package retry

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestABucketsEndIsAboveItsDurationsByASixteenthAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(1<<leastExponent, 1<<(leastExponent+doublings)-1).Draw(t, "d"))
		i := bucketOf(d)
		if end := bucketEnd(i); end <= d || float64(end) > float64(d)*(1+1.0/16)+1 {
			t.Fatalf("%d is in a bucket up to %d", d, end)
		}
	})
}

func TestAnyDurationHasABucket(t *testing.T) {
	for d, want := range map[time.Duration]int{
		math.MinInt64: 0, -1: 0, 0: 0, 1 << leastExponent: 0, math.MaxInt64: latencyBuckets - 1, 1<<37 - 1: latencyBuckets - 1,
	} {
		if got := bucketOf(d); got != want {
			t.Errorf("%d is in bucket %d, want %d", d, got, want)
		}
	}
	for i := range latencyBuckets - 1 {
		if bucketOf(bucketEnd(i)-1) != i || bucketOf(bucketEnd(i)) != i+1 {
			t.Fatalf("bucket %d does not end at %d", i, bucketEnd(i))
		}
	}
}

func TestTheEstimateIsTheSamplesPercentileUpToASixteenth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		percentile := rapid.SampledFrom([]float64{0.5, 0.9, 0.95, 0.99}).Draw(t, "percentile")
		random := rand.New(rand.NewPCG(seed, 1))
		l := newLatencies(percentile)
		n := l.enough * rapid.IntRange(1, 4).Draw(t, "times") // the estimate is made at the last of these
		all := make([]float64, n)
		for i := range all {
			d := time.Duration(float64(10*time.Millisecond) * math.Exp(random.NormFloat64()))
			all[i] = float64(d)
			l.add(d)
		}
		slices.Sort(all)
		l.estimate.Store(int64(l.at(int64(math.Ceil(percentile * float64(n))))))
		want := all[int(math.Ceil(percentile*float64(n)))-1]
		if got := float64(l.get()); got < want || got > want*(1+1.0/16)+1 {
			t.Fatalf("estimate %v of %v", got, want)
		}
	})
}

func TestThereIsNoEstimateOfTooFewDurations(t *testing.T) {
	for percentile, enough := range map[float64]int{0.5: 100, 0.95: 200, 0.99: 1000, 0.999: 10_000} {
		l := newLatencies(percentile)
		for i := range enough {
			if l.get() != 0 {
				t.Fatalf("percentile %v has an estimate after %d", percentile, i)
			}
			l.add(time.Millisecond)
		}
		if l.get() == 0 {
			t.Errorf("percentile %v has none after %d", percentile, enough)
		}
	}
}

func TestTheEstimateFollowsAndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLatencies(0.5)
		add := func(d time.Duration) {
			for range 200 { // 10 s of 20 calls per second
				l.add(d)
				time.Sleep(50 * time.Millisecond)
			}
		}
		add(time.Second)
		if got := l.get(); got < time.Second {
			t.Errorf("%v, want 1s", got)
		}
		for range 3 {
			add(time.Millisecond)
		}
		if got := l.get(); got < time.Millisecond || got > 1100*time.Microsecond {
			t.Errorf("%v 30 s after calls have become quick, want 1ms", got)
		}
		time.Sleep(time.Hour) // a quiet service keeps what it knows
		if got := l.get(); got == 0 {
			t.Error("the estimate is gone after a quiet hour")
		}
	})
}

func TestWhereCallsAreFewTheEstimateIsOfAsManyAsItNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLatencies(0.5)
		for range l.enough {
			l.add(time.Millisecond)
			time.Sleep(time.Second) // one in a window of 10 s would never be enough
		}
		if l.get() == 0 {
			t.Errorf("no estimate after %d calls", l.enough)
		}
	})
}

func TestWhereCallsAreManyTheEstimateIsOfTheLastTenSecondsAtLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLatencies(0.5)
		add := func(d, during time.Duration) {
			for begun := time.Now(); time.Since(begun) < during; time.Sleep(10 * time.Millisecond) {
				l.add(d)
			}
		}
		add(time.Second, 15*time.Second)
		add(time.Millisecond, 4*time.Second)
		if got := l.get(); got < time.Second {
			t.Errorf("%v when 4 s of the last 10 were quick, want 1s", got)
		}
	})
}
