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
