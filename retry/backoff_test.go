package retry_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/joist-go/joist/retry"
)

// drawBackoff makes any valid backoff.
func drawBackoff(t *rapid.T) retry.Backoff {
	base := time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "base"))
	limit := time.Duration(rapid.Int64Range(int64(base), math.MaxInt64).Draw(t, "cap"))
	b := rapid.SampledFrom([]retry.Backoff{
		retry.Constant(base), retry.Linear(base, limit), retry.Exponential(base, limit), retry.Decorrelated(base, limit),
	}).Draw(t, "rule")
	if b != retry.Decorrelated(base, limit) {
		b = b.WithJitter(rapid.SampledFrom([]retry.Jitter{retry.Full, retry.Equal, retry.None}).Draw(t, "jitter"))
	}
	return b
}

func TestADelayIsNeverNegativeNorAboveItsCapForAnyAttempt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBackoff(t)
		if _, err := retry.New(retry.Options{Backoff: b}); err != nil {
			t.Fatal(err)
		}
		attempt := rapid.OneOf(rapid.IntRange(1, 100), rapid.IntRange(1, 1_000_000_000), rapid.Int()).Draw(t, "attempt")
		previous := time.Duration(rapid.Int64().Draw(t, "previous"))
		if d := b.Delay(attempt, previous); d < 0 || d > b.Cap() {
			t.Fatalf("%v.Delay(%d, %v) is %v", b, attempt, previous, d)
		}
	})
}

// What the rules say, in numbers that cannot overflow.
func TestAWaitIsWhatItsRuleSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Int64Range(1, math.MaxInt64).Draw(t, "base")
		limit := rapid.Int64Range(base, math.MaxInt64).Draw(t, "cap")
		attempt := rapid.OneOf(rapid.IntRange(1, 100), rapid.IntRange(1, 1_000_000_000)).Draw(t, "attempt")
		atMost := func(want *big.Int) time.Duration {
			if want.Cmp(big.NewInt(limit)) > 0 {
				return time.Duration(limit)
			}
			return time.Duration(want.Int64())
		}
		b := big.NewInt(base)
		lines := new(big.Int).Mul(b, big.NewInt(int64(attempt)))
		doubled := new(big.Int).Lsh(b, uint(min(attempt-1, 100)))
		for _, c := range []struct {
			backoff retry.Backoff
			want    time.Duration
		}{
			{retry.Constant(time.Duration(base)), time.Duration(base)},
			{retry.Linear(time.Duration(base), time.Duration(limit)), atMost(lines)},
			{retry.Exponential(time.Duration(base), time.Duration(limit)), atMost(doubled)},
		} {
			if got := c.backoff.WithJitter(retry.None).Delay(attempt, 0); got != c.want {
				t.Fatalf("%v: the wait after attempt %d is %v, want %v", c.backoff, attempt, got, c.want)
			}
			if got := c.backoff.Delay(attempt, 0); got > c.want {
				t.Fatalf("%v: the wait after attempt %d is %v, above %v", c.backoff, attempt, got, c.want)
			}
			if got := c.backoff.WithJitter(retry.Equal).Delay(attempt, 0); got < c.want/2 || got > c.want {
				t.Fatalf("%v: the wait after attempt %d is %v, not in the upper half of %v", c.backoff, attempt, got, c.want)
			}
		}
	})
}

func TestADecorrelatedWaitIsFromItsBaseToThreeTimesTheOneBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := time.Duration(rapid.Int64Range(1, math.MaxInt64/4).Draw(t, "base"))
		limit := time.Duration(rapid.Int64Range(int64(base), math.MaxInt64).Draw(t, "cap"))
		previous := time.Duration(0)
		for attempt := 1; attempt < 100; attempt++ {
			most := limit
			if last := max(previous, base); last < limit/3 {
				most = 3 * last
			}
			d := retry.Decorrelated(base, limit).Delay(attempt, previous)
			if d < base || d > most {
				t.Fatalf("after %v it waits %v, not from %v to %v", previous, d, base, most)
			}
			previous = d
		}
	})
}

func TestInvalidBackoffsWaitNoLongerThanTheirCap(t *testing.T) {
	for _, b := range []retry.Backoff{
		retry.Exponential(-time.Second, time.Second), retry.Exponential(time.Second, -time.Second), retry.Exponential(0, -1),
		retry.Exponential(math.MinInt64, math.MinInt64), retry.Exponential(time.Second, 0), retry.Exponential(-3, math.MaxInt64),
		retry.Constant(-1), retry.Linear(-3, math.MaxInt64), retry.Linear(2, 1), retry.Decorrelated(-1, 1), retry.Decorrelated(2, 1),
		retry.Constant(time.Second).WithJitter(99), retry.Decorrelated(1, 2).WithJitter(retry.None),
	} {
		for _, attempt := range []int{math.MinInt, -1, 0, 1, 2, 62, 63, 64, 1_000_000_000, math.MaxInt} {
			for _, previous := range []time.Duration{math.MinInt64, 0, math.MaxInt64} {
				if d := b.Delay(attempt, previous); d < 0 || d > b.Cap() {
					t.Errorf("%v.Delay(%d, %v) is %v", b, attempt, previous, d)
				}
			}
		}
	}
}

// evenly checks a choice for being even between low and high by the test of Kolmogorov and Smirnov: the greatest distance
// between the share of waits up to a value and what it should be. A choice that is even fails once in some 10⁷ times.
func evenly(t *testing.T, what string, low, high time.Duration, choose func() time.Duration) {
	t.Helper()
	const n = 4000
	const limit = 2.9 // of the distance × √n: 2·exp(−2·2.9²) ≈ 10⁻⁷
	waits := make([]time.Duration, n)
	for i := range waits {
		waits[i] = choose()
	}
	slices.Sort(waits)
	if waits[0] < low || waits[n-1] > high {
		t.Errorf("%s: waits reach from %v to %v, want from %v to %v", what, waits[0], waits[n-1], low, high)
	}
	distance := 0.0
	for i, w := range waits {
		share := float64(w-low) / float64(high-low)
		distance = max(distance, share-float64(i)/n, float64(i+1)/n-share)
	}
	if d := distance * math.Sqrt(n); d > limit {
		t.Errorf("%s: waits are not even between %v and %v: the distance is %.2f, want at most %.2f", what, low, high, d, limit)
	}
}

func TestJittersSpreadEvenly(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		backoff   retry.Backoff
		attempt   int
		previous  time.Duration
		low, high time.Duration
	}{
		{backoff: retry.Constant(second), attempt: 1, high: second},
		{backoff: retry.Constant(second).WithJitter(retry.Equal), attempt: 9, low: second / 2, high: second},
		{backoff: retry.Linear(second, time.Hour), attempt: 7, high: 7 * second},
		{backoff: retry.Linear(second, 5*second).WithJitter(retry.Equal), attempt: 7, low: 5 * second / 2, high: 5 * second},
		{backoff: retry.Exponential(second, time.Hour), attempt: 1, high: second},
		{backoff: retry.Exponential(second, time.Hour), attempt: 2, high: 2 * second},
		{backoff: retry.Exponential(second, time.Hour), attempt: 5, high: 16 * second},
		{backoff: retry.Exponential(second, time.Hour).WithJitter(retry.Equal), attempt: 5, low: 8 * second, high: 16 * second},
		{backoff: retry.Decorrelated(second, time.Hour), attempt: 1, low: second, high: 3 * second},
		{backoff: retry.Decorrelated(second, time.Hour), attempt: 2, previous: 4 * second, low: second, high: 12 * second},
	} {
		evenly(t, fmt.Sprintf("%v, attempt %d", c.backoff, c.attempt), c.low, c.high,
			func() time.Duration { return c.backoff.Delay(c.attempt, c.previous) })
	}
}

// If the cap came after the jitter, most waits would be the cap itself.
func TestTheCapComesBeforeTheJitter(t *testing.T) {
	const limit = 4 * time.Second
	for _, attempt := range []int{4, 63, 64, 65, 66, 128, 1_000_000_000, math.MaxInt} {
		what := fmt.Sprintf("attempt %d", attempt)
		for _, b := range []retry.Backoff{retry.Linear(time.Second, limit), retry.Exponential(time.Second, limit)} {
			evenly(t, what, 0, limit, func() time.Duration { return b.Delay(attempt, 0) })
			b = b.WithJitter(retry.Equal)
			evenly(t, what, limit/2, limit, func() time.Duration { return b.Delay(attempt, 0) })
		}
		b := retry.Decorrelated(time.Second, limit)
		evenly(t, what, time.Second, limit, func() time.Duration { return b.Delay(attempt, limit) })
	}
}

func TestTheZeroBackoffIsTheDefault(t *testing.T) {
	var b retry.Backoff
	if b.Cap() != retry.DefaultCap || b.String() != "Exponential(100ms, 10s)" {
		t.Errorf("it is %v with a cap of %v", b, b.Cap())
	}
	evenly(t, "its first waits", 0, retry.DefaultBase, func() time.Duration { return b.Delay(1, 0) })
	if d := b.WithJitter(retry.None).Delay(2, 0); d != 2*retry.DefaultBase {
		t.Errorf("without jitter its second wait is %v", d)
	}
}

func TestBackoffsAreCompared(t *testing.T) {
	b := retry.Linear(1, 2)
	if b != retry.Linear(1, 2).WithJitter(retry.Full) || b == b.WithJitter(retry.None) || b == retry.Exponential(1, 2) {
		t.Error("backoffs are not equal by what they are made of")
	}
}

func TestABackoffTellsHowItIsMade(t *testing.T) {
	for want, b := range map[string]retry.Backoff{
		"Constant(1s)":                              retry.Constant(time.Second),
		"Linear(1s, 1m0s).WithJitter(None)":         retry.Linear(time.Second, time.Minute).WithJitter(retry.None),
		"Exponential(1ns, 2ns)":                     retry.Exponential(1, 2),
		"Decorrelated(1ns, 2ns)":                    retry.Decorrelated(1, 2),
		"Exponential(100ms, 10s).WithJitter(Equal)": retry.Backoff{}.WithJitter(retry.Equal),
		"Constant(1ns).WithJitter(Jitter(3))":       retry.Constant(1).WithJitter(3),
	} {
		if got := b.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
