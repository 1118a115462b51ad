package ratelimit

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/joist-go/joist/internal/options"
)

// change charges n tokens, or refunds −n, and checks that the word is what it should be to one unit, and never less.
func (p *pair) change(t failer, ns, n int64) {
	t.Helper()
	pl := &plan{buckets: []bucket{p.b}}
	words := []uint64{p.word.Load()}
	now := new(big.Rat).SetInt64(ns)
	after := new(big.Rat).Mul(p.exact.token, new(big.Rat).SetInt64(n))
	switch {
	case n >= 0:
		v := pl.do(charge, words, ns, n)
		if v.err != nil {
			if words[0] != p.word.Load() {
				t.Fatalf("%v: a charge of %d failed and took something", p.b.limit, n)
			}
			return
		}
		if p.exact.full.Cmp(now) < 0 {
			p.exact.full.Set(now)
		}
		p.exact.full.Add(p.exact.full, after)
	default:
		pl.do(refund, words, ns, -n)
		if p.exact.full.Cmp(now) > 0 {
			if p.exact.full.Add(p.exact.full, after); p.exact.full.Cmp(now) < 0 {
				p.exact.full.Set(now)
			}
		}
	}
	p.word.Store(words[0])
	if words[0] <= p.b.instant(ns).at {
		return // full, by whatever word
	}
	over := new(big.Rat).SetFrac(new(big.Int).SetUint64(p.b.den), new(big.Int).SetUint64(p.b.num))
	over.Mul(over, new(big.Rat).SetInt(new(big.Int).SetUint64(words[0])))
	over.Sub(over, p.exact.full)
	unit := big.NewRat(int64(p.b.den), 1)
	unit.Quo(unit, new(big.Rat).SetInt(new(big.Int).SetUint64(p.b.num)))
	if over.Sign() < 0 || over.Cmp(unit) > 0 {
		t.Fatalf("%v: after %d at %d the word is %s ns behind", p.b.limit, n, ns, over.FloatString(3))
	}
}

// anyLimit draws rates from 1e-9 to 1e9 per second and bursts from 1 to 1e15, evenly by their magnitude.
func anyLimit(r *rand.Rand) Limit {
	size := func(least, most float64) int64 {
		return int64(math.Round(math.Pow(10, least+(most-least)*r.Float64())))
	}
	burst := size(0, 15)
	if r.IntN(2) == 0 {
		return Limit{Tokens: size(0, 9), Per: time.Second, Burst: burst}
	}
	return Limit{Tokens: 1, Per: time.Duration(size(0, 18)), Burst: burst}
}

// Rates of eighteen magnitudes, bursts of fifteen, ten years of idleness, and a clock that steps back an hour: no
// take is allowed too early, none is denied that fitted a unit ago, and every answer is what happens. Limits for which a
// word is too short are an error that says why.
func TestBucketsOfAllMagnitudesAreExactBesideRationalNumbers(t *testing.T) {
	const year = int64(365 * 24 * time.Hour)
	r := rand.New(rand.NewPCG(7, 11))
	refused, taken := 0, 0
	for taken < magnitudeCases {
		l := anyLimit(r)
		if !valid(l) {
			f := options.Check("joist/ratelimit", "Options")
			checkLimits(f, []Limit{l})
			if err := f.Err(); !strings.Contains(err.Error(), "the bucket must fill within 73 years") {
				t.Fatalf("%v: %v", l, err)
			}
			refused++
			continue
		}
		p := newPair(l)
		most := min(17*year, int64(p.b.horizon))
		ns := r.Int64N(most/2 + 1)
		var last Result
		for range 20 {
			switch r.IntN(8) {
			case 0:
				ns += 10 * year
			case 1:
				ns -= int64(time.Hour)
			case 2:
				ns += int64(last.RetryAfter) - r.Int64N(2)
			case 3:
				ns += r.Int64N(int64(l.Per)) / l.Tokens * (1 + r.Int64N(3))
			case 4:
				ns += r.Int64N(1000)
			}
			ns = min(max(ns, 0), most)
			n := 1 + r.Int64N(3)
			if r.IntN(3) == 0 {
				n = 1 + r.Int64N(l.Burst) + r.Int64N(2)
			}
			switch r.IntN(8) {
			case 0:
				p.change(t, ns, n)
			case 1:
				p.change(t, ns, -n)
			default:
				last = p.take(t, ns, n)
				taken++
			}
		}
	}
	t.Logf("%d takes; %d limits were refused", taken, refused)
}

// Each of nineteen magnitudes of rates with each of sixteen of bursts: a bucket is emptied, stands idle for ten years, is
// emptied again, and the clock steps back an hour. It is exact beside rational numbers at every step, or New has said why it
// cannot be.
func TestEveryMagnitudeIsExactAfterTenYearsOfIdlenessAndAnHourBack(t *testing.T) {
	const year, hour = int64(365 * 24 * time.Hour), int64(time.Hour)
	r := rand.New(rand.NewPCG(3, 5))
	var accepted, refused, full, taken int
	for taken < magnitudeCases/5 {
		accepted, refused = 0, 0
		for rate := -9; rate <= 9; rate++ {
			for burst := range 16 {
				l := Limit{Tokens: pow10(rate), Per: time.Second, Burst: pow10(burst)}
				if rate < 0 {
					l = Limit{Tokens: 1, Per: time.Second * time.Duration(pow10(-rate)), Burst: pow10(burst)}
				}
				fills := new(big.Rat).Mul(big.NewRat(int64(l.Per), l.Tokens), new(big.Rat).SetInt64(l.Burst))
				if fits := fills.Cmp(new(big.Rat).SetInt64(maxFill)) <= 0; fits != valid(l) {
					t.Fatalf("%v: valid is %v, and the bucket fills in %s ns", l, valid(l), fills.FloatString(0))
				} else if !fits {
					refused++
					continue
				}
				accepted++
				p := newPair(l)
				take := func(ns, n int64) Result {
					taken++
					return p.take(t, ns, n)
				}
				ns := r.Int64N(5 * year)
				if !take(ns, l.Burst).Allowed || take(ns, 1).Allowed {
					t.Fatalf("%v: did not hold its burst", l)
				}
				if ns += 10 * year; ns+year > int64(p.b.horizon) {
					t.Fatalf("%v: time stands still at %d", l, p.b.horizon)
				}
				idle := take(ns, 1+r.Int64N(l.Burst))
				if fills.Cmp(new(big.Rat).SetInt64(10*year)) <= 0 {
					if full++; !idle.Allowed {
						t.Fatalf("%v: not full after ten years, and fills in %s ns", l, fills.FloatString(0))
					}
				}
				if rest := idle.Remaining; rest > 0 && !take(ns+1, rest).Allowed {
					t.Fatalf("%v: %d should remain", l, rest)
				}
				for _, back := range []int64{0, 1, hour, hour - 1} {
					take(ns-back, 1+r.Int64N(min(3, l.Burst)))
				}
				last := take(ns, l.Burst)
				take(min(ns+int64(last.RetryAfter), int64(p.b.horizon)), l.Burst)
			}
		}
	}
	t.Logf("%d takes from buckets of %d rates and bursts, each idle for ten years, %d times full after them; %d are refused, as they fill in more than 73 years",
		taken, accepted, full, refused)
	if accepted+refused != 19*16 || full == 0 {
		t.Errorf("%d limits were tried, %d refused", accepted, refused)
	}
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}
