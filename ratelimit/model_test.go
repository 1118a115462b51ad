package ratelimit

import (
	"math/big"
	"sync/atomic"
	"testing"

	"github.com/joist-go/joist/internal/options"
)

// exact is a token bucket in rational numbers: what a bucket should be.
type exact struct {
	token *big.Rat // nanoseconds per token
	size  *big.Rat // nanoseconds until an empty bucket is full
	full  *big.Rat // when the bucket is full
}

func newExact(l Limit) *exact {
	token := big.NewRat(int64(l.Per), l.Tokens)
	return &exact{token: token, size: new(big.Rat).Mul(token, new(big.Rat).SetInt64(l.Burst)), full: new(big.Rat)}
}

// after returns when the bucket is full if n tokens are taken at ns, and the nanoseconds by which they fit, negative
// when they do not.
func (e *exact) after(ns, n int64) (full, spare *big.Rat) {
	now := new(big.Rat).SetInt64(ns)
	full = new(big.Rat).Set(e.full)
	if full.Cmp(now) < 0 {
		full.Set(now)
	}
	full.Add(full, new(big.Rat).Mul(e.token, new(big.Rat).SetInt64(n)))
	spare = new(big.Rat).Add(now, e.size)
	return full, spare.Sub(spare, full)
}

// pair is a bucket beside the exact one. The exact one follows the decisions of the bucket.
type pair struct {
	b     bucket
	word  atomic.Uint64
	exact *exact
}

func newPair(l Limit) *pair {
	l = l.filled()
	return &pair{b: newBucket(l), exact: newExact(l)}
}

func valid(l Limit) bool {
	f := options.Check("joist/ratelimit", "Options")
	checkLimits(f, []Limit{l})
	return f.Err() == nil
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// take takes n tokens at ns and checks the answer in all that a Result promises.
func (p *pair) take(t failer, ns, n int64) Result {
	t.Helper()
	b := &p.b
	full, spare := p.exact.after(ns, n)
	word, ok := b.grab(&p.word, ns, n)
	unit := big.NewRat(1, 1).SetFrac(new(big.Int).SetUint64(b.den), new(big.Int).SetUint64(b.num))
	switch {
	case ok && spare.Sign() < 0:
		t.Fatalf("%v: %d at %d were allowed, %s ns too early", b.limit, n, ns, spare.FloatString(3))
	case ok:
		p.exact.full = full
	case n <= b.limit.Burst && spare.Sign() >= 0 && b.den == 1:
		t.Fatalf("%v: %d at %d were denied, though they fit", b.limit, n, ns)
	case n <= b.limit.Burst && spare.Cmp(unit) >= 0:
		t.Fatalf("%v: %d at %d were denied, though they fitted %s ns ago", b.limit, n, ns, spare.FloatString(3))
	}
	if got := p.word.Load(); got != word {
		t.Fatalf("the word is %d, the answer says %d", got, word)
	}
	r := b.result(word, ns, n, ok)
	p.check(t, ns, n, r)
	return r
}

// fits tells whether n tokens fit at ns, without taking them.
func (p *pair) fits(ns, n int64) bool {
	_, ok := p.b.next(p.word.Load(), p.b.instant(ns), uint64(n)*p.b.cost)
	return ok && n <= p.b.burst
}

func (p *pair) check(t failer, ns, n int64, r Result) {
	t.Helper()
	b := &p.b
	if r.Never != (n > b.limit.Burst) || r.Allowed && r.Never || r.Limit != b.limit {
		t.Fatalf("%v: %d at %d: %+v", b.limit, n, ns, r)
	}
	past := func(ns int64) bool { return uint64(ns) > b.horizon } // where time stands still, and no wait ends
	if wait := int64(r.RetryAfter); r.Allowed || r.Never {
		if wait != 0 {
			t.Fatalf("%v: %d at %d: RetryAfter is %v", b.limit, n, ns, r.RetryAfter)
		}
	} else if wait <= 0 || p.fits(ns+wait-1, n) || !p.fits(ns+wait, n) && !past(ns+wait) {
		t.Fatalf("%v: %d at %d do not fit first after RetryAfter, %d ns", b.limit, n, ns, wait)
	}
	soon := ns
	if r.Allowed {
		soon++
	}
	if r.Remaining < 0 || r.Remaining > 0 && !p.fits(soon, r.Remaining) || p.fits(ns, r.Remaining+1) {
		t.Fatalf("%v: %d at %d: %d remain, which is not what fits", b.limit, n, ns, r.Remaining)
	}
	fullAt := func(ns int64) bool { return p.word.Load() <= b.instant(ns).at }
	if reset := int64(r.ResetAfter); !fullAt(ns+reset) && !past(ns+reset) || reset > 0 && fullAt(ns+reset-1) {
		t.Fatalf("%v: %d at %d: the bucket is not full first after ResetAfter, %d ns", b.limit, n, ns, reset)
	}
}

func TestThePairFindsABucketThatIsTooGenerousOrTooStrict(t *testing.T) {
	for name, spoil := range map[string]func(b *bucket){
		"a bucket that is too large": func(b *bucket) { b.size++ },
		"a bucket that is too small": func(b *bucket) { b.size-- },
		"a token that is too cheap":  func(b *bucket) { b.cost-- },
		"a token that is too dear":   func(b *bucket) { b.cost++ },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(Limit{Tokens: 3, Per: 1000, Burst: 5})
			spoil(&p.b)
			found := &finds{}
			for ns := int64(0); ns < 10_000 && !found.fault; ns += 7 {
				found.try(func() { p.take(found, ns, 1) })
			}
			if !found.fault {
				t.Error("not found")
			}
		})
	}
}

// finds is a failer that stops the function under try.
type finds struct{ fault bool }

func (*finds) Helper() {}

func (f *finds) Fatalf(string, ...any) {
	f.fault = true
	panic(f)
}

func (f *finds) try(fn func()) {
	defer func() {
		if r := recover(); r != nil && r != any(f) {
			panic(r)
		}
	}()
	fn()
}
