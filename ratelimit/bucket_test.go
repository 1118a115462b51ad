package ratelimit

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// limits draws limits of all sizes, round and odd.
func limits(t *rapid.T) Limit {
	return rapid.Custom(func(t *rapid.T) Limit {
		if rapid.Bool().Draw(t, "round") {
			return Limit{
				Tokens: rapid.SampledFrom([]int64{1, 2, 5, 10, 30, 100, 600_000, 1_000_000, 300_000_000}).Draw(t, "tokens"),
				Per:    rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "per"),
				Burst:  rapid.Int64Range(1, 1000).Draw(t, "burst"),
			}
		}
		return Limit{
			Tokens: rapid.Int64Range(1, 1<<rapid.IntRange(1, 61).Draw(t, "bits")).Draw(t, "tokens"),
			Per:    time.Duration(rapid.Int64Range(1, 1<<rapid.IntRange(1, 61).Draw(t, "bits")).Draw(t, "per")),
			Burst:  rapid.Int64Range(1, 1<<rapid.IntRange(1, 61).Draw(t, "bits")).Draw(t, "burst"),
		}
	}).Filter(valid).Draw(t, "limit")
}

func TestABucketIsExactToOneUnitAndNeverOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := limits(t)
		p := newPair(l)
		token := float64(l.Per) / float64(l.Tokens)
		ns := rapid.Int64Range(0, min(1<<60, int64(p.b.horizon))).Draw(t, "start") // behind the horizon time stands still
		var last Result
		for range rapid.IntRange(1, 40).Draw(t, "takes") {
			var step int64
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0: // the same moment
			case 1:
				step = rapid.Int64Range(-3, 3).Draw(t, "step")
			case 2:
				step = int64(last.RetryAfter) + rapid.Int64Range(-1, 1).Draw(t, "step")
			case 3:
				step = int64(token*float64(rapid.IntRange(0, 9).Draw(t, "tokens"))) + rapid.Int64Range(-1, 1).Draw(t, "step")
			case 4:
				step = rapid.Int64Range(-1<<40, 1<<50).Draw(t, "step")
			}
			ns = min(max(ns+step, 0), 1<<60, int64(p.b.horizon))
			n := rapid.Int64Range(1, 3).Draw(t, "n")
			if rapid.Bool().Draw(t, "many") {
				n = rapid.Int64Range(1, l.Burst+1).Draw(t, "n")
			}
			last = p.take(t, ns, n)
		}
	})
}

func FuzzTake(f *testing.F) {
	f.Add(int64(100), int64(time.Second), int64(20), []byte{0, 0, 0, 1, 200, 3, 9, 0, 0, 7})
	f.Add(int64(3), int64(1000), int64(1), []byte{1, 77, 2, 0, 2, 0, 3, 0})
	f.Add(int64(1_000_003), int64(time.Second), int64(2), []byte{1, 1, 0, 0, 0, 0, 2, 0, 2, 1})
	f.Add(int64(1), int64(1)<<61, int64(1), []byte{0, 0, 2, 0, 0, 0})
	f.Add(int64(1)<<61-1, int64(1)<<61, int64(1)<<60, []byte{3, 255, 0, 1, 2, 1})
	f.Fuzz(func(t *testing.T, tokens, per, burst int64, script []byte) {
		l := Limit{Tokens: tokens, Per: time.Duration(per), Burst: burst}
		if tokens <= 0 || burst <= 0 || !valid(l) {
			return
		}
		script = script[:min(len(script), 200)]
		p := newPair(l)
		var ns int64
		var last Result
		for ; len(script) >= 2; script = script[2:] {
			arg := int64(script[1])
			n := int64(1)
			switch script[0] % 5 {
			case 0: // at the same moment
				n = 1 + arg%8
			case 1:
				ns += arg
			case 2: // when the last denied take should fit, or a nanosecond before
				ns += int64(last.RetryAfter) - arg%2
			case 3:
				ns += arg << (arg % 50)
			case 4:
				ns -= arg
			}
			ns = min(max(ns, 0), 1<<60, int64(p.b.horizon))
			last = p.take(t, ns, n)
		}
	})
}

func TestRoundLimitsAreNeverRounded(t *testing.T) {
	for _, n := range []int64{1, 2, 3, 5, 7, 10, 15, 20, 50, 60, 100, 300, 1000, 30_000, 600_000, 1_000_000, 300_000_000, 1_000_000_000} {
		if b := newBucket(PerSecond(n)); b.den != 1 {
			t.Errorf("%v is counted in %d/%d units per nanosecond", b.limit, b.num, b.den)
		}
	}
	for _, l := range []Limit{PerMinute(100), PerMinute(60), PerHour(1000), PerHour(5000), PerDay(100_000), Every(17 * time.Millisecond)} {
		if b := newBucket(l); b.den != 1 {
			t.Errorf("%v is counted in %d/%d units per nanosecond", b.limit, b.num, b.den)
		}
	}
}

func TestOddLimitsAreCountedInOneToTwoUnitsPerNanosecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBucket(limits(t))
		if b.den > 1 && (b.num < b.den || b.num-b.den >= b.den) {
			t.Fatalf("%v: %d/%d units per nanosecond", b.limit, b.num, b.den)
		}
		if b.size > maxWord {
			t.Fatalf("%v: the size is %d", b.limit, b.size)
		}
	})
}

func TestTheRateDoesNotDrift(t *testing.T) {
	for _, l := range []Limit{PerSecond(600_000).WithBurst(10), PerSecond(999_983).WithBurst(10), PerSecond(300_000_000).WithBurst(10)} {
		const tokens = 100_000
		b := newBucket(l)
		p := newPair(l)
		end := tokens * int64(time.Second) / l.Tokens
		var ns, allowed int64
		for ns <= end {
			full, ok := b.grab(&p.word, ns, 1)
			if ok {
				allowed++
				continue
			}
			ns += int64(b.result(full, ns, 1, false).RetryAfter)
		}
		if want := l.Burst + tokens; allowed < want-1 || allowed > want {
			t.Errorf("%v: %d in %d ns, want %d", b.limit, allowed, end, want)
		}
	}
}

func TestTimeThatStepsBackGivesNothingBack(t *testing.T) {
	for _, l := range []Limit{PerSecond(10), PerSecond(9973)} {
		p := newPair(l)
		second := int64(time.Second)
		p.take(t, 10*second, l.Tokens)
		for _, back := range []int64{1, second, 9 * second, 10 * second} {
			r := p.take(t, 10*second-back, 1)
			if r.Allowed {
				t.Errorf("%v: allowed when the clock stepped back by %d ns", l, back)
			}
			if r.Remaining != 0 {
				t.Errorf("%v: %d remain when the clock stepped back by %d ns", l, r.Remaining, back)
			}
		}
		if r := p.take(t, 11*second, l.Tokens); !r.Allowed {
			t.Errorf("%v: not full again a second later", l)
		}
	}
}

func TestTimeStandsStillOutsideOfItsRange(t *testing.T) {
	for _, l := range []Limit{PerSecond(1), PerSecond(16), PerSecond(1_000_003), {Tokens: 1, Per: 1 << 61, Burst: 1}} {
		for _, ns := range []int64{math.MinInt64, -1, math.MaxInt64} {
			p := newPair(l)
			burst := p.b.burst
			if _, ok := p.b.grab(&p.word, ns, burst); !ok {
				t.Errorf("%v: a full bucket is not full at %d", l, ns)
			}
			if _, ok := p.b.grab(&p.word, ns, 1); ok {
				t.Errorf("%v: more than the burst was allowed at %d", l, ns)
			}
			edge := int64(0) // the reading at which time stands still
			if ns > 0 {
				edge = int64(p.b.horizon)
			}
			now := p.b.instant(edge)
			if got, want := p.word.Load(), now.at+now.part+p.b.size; got != want || got < now.at {
				t.Errorf("%v: the word is %d at %d, want %d as at %d", l, got, ns, want, edge)
			}
			if r := p.b.result(p.word.Load(), ns, 1, false); r.RetryAfter <= 0 || r.ResetAfter < r.RetryAfter {
				t.Errorf("%v at %d: %+v", l, ns, r)
			}
		}
	}
}

func TestTheRoundingOfAnOddLimitDoesNotShowInWhatRemains(t *testing.T) {
	for ns := range int64(1000) {
		p := newPair(PerSecond(17))
		if r := p.take(t, ns, 3); r.Remaining != 14 {
			t.Fatalf("at %d, 3 of 17 leave %d", ns, r.Remaining)
		}
	}
}

func TestTheWordIsTheMomentAtWhichTheBucketIsFull(t *testing.T) {
	// The layout, by example: 100 per second are 1e7 units per token and 1 unit per nanosecond.
	p := newPair(PerSecond(100).WithBurst(20))
	p.take(t, 1000, 3)
	if got := p.word.Load(); got != 1000+3e7 {
		t.Errorf("the word is %d", got)
	}
	// 17 per second are 2^26 units per token, and the first take begins at the next unit.
	p = newPair(PerSecond(17))
	p.take(t, 1000, 3)
	if got := p.word.Load(); got != 1000*17<<26/1_000_000_000+1+3<<26 {
		t.Errorf("the word is %d", got)
	}
}
