package retry_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/retry"
)

func TestADelayIsNeverNegativeNorAboveItsLimitForAnyAttempt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "base"))
		limit := time.Duration(rapid.Int64Range(int64(base), math.MaxInt64).Draw(t, "cap"))
		attempt := rapid.OneOf(rapid.IntRange(1, 100), rapid.IntRange(math.MinInt32, math.MaxInt32), rapid.Just(1_000_000_000)).Draw(t, "attempt")
		previous := time.Duration(rapid.Int64().Draw(t, "previous"))

		want := limit
		if n := max(attempt, 1) - 1; n < 62 && float64(base)*math.Exp2(float64(n)) < float64(limit) {
			want = base << n
		}
		if d := retry.Exponential(base, limit).Delay(attempt, previous); d < 0 || d > want {
			t.Fatalf("Delay(%d) is %v, not from 0 to %v", attempt, d, want)
		}
	})
}

func TestInvalidDelaysAreNeverNegative(t *testing.T) {
	for _, b := range []retry.Backoff{
		retry.Exponential(-time.Second, time.Second), retry.Exponential(time.Second, -time.Second), retry.Exponential(0, -1),
		retry.Exponential(math.MinInt64, math.MinInt64), retry.Exponential(time.Second, 0),
	} {
		for _, attempt := range []int{math.MinInt, -1, 0, 1, 2, 62, 63, 64, 1_000_000_000, math.MaxInt} {
			if d := b.Delay(attempt, 0); d < 0 {
				t.Errorf("%v.Delay(%d) is %v", b, attempt, d)
			}
		}
	}
}

// spread returns the least, the mean and the greatest of many delays.
func spread(b retry.Backoff, attempt int) (least, mean, greatest time.Duration) {
	const n = 4000
	least = math.MaxInt64
	var sum time.Duration
	for range n {
		d := b.Delay(attempt, 0)
		least, greatest = min(least, d), max(greatest, d)
		sum += d
	}
	return least, sum / n, greatest
}

func TestFullJitterSpreadsOverADelayThatDoubles(t *testing.T) {
	b := retry.Exponential(time.Second, time.Hour)
	for attempt, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second} {
		least, mean, greatest := spread(b, attempt)
		if least > want/20 || greatest < want-want/20 || greatest > want {
			t.Errorf("attempt %d: delays reach from %v to %v, want 0 to %v", attempt, least, greatest, want)
		}
		if mean < want*45/100 || mean > want*55/100 {
			t.Errorf("attempt %d: the mean is %v, want about %v", attempt, mean, want/2)
		}
	}
}

func TestTheCapAppliesBeforeTheJitter(t *testing.T) {
	const limit = 4 * time.Second
	for _, attempt := range []int{3, 4, 63, 64, 65, 66, 128, 1_000_000_000, math.MaxInt} {
		least, mean, greatest := spread(retry.Exponential(time.Second, limit), attempt)
		if least > limit/20 || greatest > limit || mean < limit*45/100 || mean > limit*55/100 {
			t.Errorf("attempt %d: delays reach from %v to %v with a mean of %v: not evenly up to the cap", attempt, least, greatest, mean)
		}
	}
}

func TestTheZeroBackoffIsTheDefault(t *testing.T) {
	var b retry.Backoff
	if b.Cap() != retry.DefaultCap || b.String() != "Exponential(100ms, 10s)" {
		t.Errorf("it is %v with a cap of %v", b, b.Cap())
	}
	if _, _, greatest := spread(b, 1); greatest > retry.DefaultBase || greatest < retry.DefaultBase*9/10 {
		t.Errorf("its first delays reach %v", greatest)
	}
}
