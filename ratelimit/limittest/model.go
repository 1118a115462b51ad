package limittest

import (
	"math"
	"math/big"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// model is what the buckets of limits should do, in rational numbers and with no haste.
type model struct {
	limits []ratelimit.Limit // with their defaults
	full   []*big.Rat        // nanoseconds: when each is full
}

func newModel(limits []ratelimit.Limit) *model {
	m := &model{}
	for _, l := range limits {
		if l.Name == "" {
			l.Name = ratelimit.DefaultLimitName
		}
		if l.Burst == 0 {
			l.Burst = l.Tokens
		}
		m.limits = append(m.limits, l)
		m.full = append(m.full, new(big.Rat))
	}
	return m
}

// span returns the nanoseconds in which n tokens of limit i come in.
func (m *model) span(i int, n int64) *big.Rat {
	l := m.limits[i]
	return new(big.Rat).Mul(big.NewRat(int64(l.Per), l.Tokens), new(big.Rat).SetInt64(n))
}

// missing returns the nanoseconds that bucket i lacks at now.
func (m *model) missing(i int, now time.Duration) *big.Rat {
	lack := new(big.Rat).Sub(m.full[i], new(big.Rat).SetInt64(int64(now)))
	if lack.Sign() < 0 {
		return new(big.Rat)
	}
	return lack
}

// left returns the whole tokens in bucket i.
func (m *model) left(i int, now time.Duration) int64 {
	l := m.limits[i]
	have := m.span(i, l.Burst)
	have.Sub(have, m.missing(i, now))
	if have.Sign() <= 0 {
		return 0
	}
	have.Quo(have, m.span(i, 1))
	return new(big.Int).Quo(have.Num(), have.Denom()).Int64()
}

// wait returns how long it takes until n tokens fit into bucket i.
func (m *model) wait(i int, now time.Duration, n int64) time.Duration {
	lack := m.missing(i, now)
	lack.Add(lack, m.span(i, n))
	lack.Sub(lack, m.span(i, m.limits[i].Burst))
	return up(lack)
}

// up returns r rounded up, at least 0.
func up(r *big.Rat) time.Duration {
	if r.Sign() <= 0 {
		return 0
	}
	q, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	return time.Duration(q.Int64())
}

// take takes n tokens and returns the answer.
func (m *model) take(now time.Duration, n int64) ratelimit.Result {
	binding, longest := -1, time.Duration(0)
	for i, l := range m.limits {
		if n > l.Burst {
			return m.answer(i, now, ratelimit.Result{Never: true})
		}
		if wait := m.wait(i, now, n); n > 0 && wait > longest { // a look is never denied
			binding, longest = i, wait
		}
	}
	if binding >= 0 {
		return m.answer(binding, now, ratelimit.Result{RetryAfter: longest})
	}
	m.add(now, n)
	fewest := int64(math.MaxInt64)
	for i := range m.limits {
		if left := m.left(i, now); left < fewest {
			binding, fewest = i, left
		}
	}
	return m.answer(binding, now, ratelimit.Result{Allowed: true})
}

// add takes n tokens from all buckets, into debt, or gives back −n.
func (m *model) add(now time.Duration, n int64) {
	for i := range m.limits {
		if n == 0 {
			continue
		}
		at := new(big.Rat).SetInt64(int64(now))
		if m.full[i].Cmp(at) < 0 {
			m.full[i].Set(at)
		}
		m.full[i].Add(m.full[i], m.span(i, n))
	}
}

func (m *model) answer(binding int, now time.Duration, r ratelimit.Result) ratelimit.Result {
	r.Limit = m.limits[binding]
	r.Remaining = m.left(binding, now)
	r.ResetAfter = up(m.missing(binding, now))
	return r
}
