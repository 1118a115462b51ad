package limittest

import (
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/joist-go/joist/ratelimit"
)

// span is a time, in nanoseconds, of which only bounds may be known. Both are the same where all is exact.
type span struct{ from, to *big.Rat }

func between(from, to time.Duration) span {
	return span{new(big.Rat).SetInt64(int64(from)), new(big.Rat).SetInt64(int64(to))}
}

func (s span) String() string {
	if s.from.Cmp(s.to) == 0 {
		return s.from.FloatString(3) + " ns"
	}
	return s.from.FloatString(3) + " to " + s.to.FloatString(3) + " ns"
}

// after returns s and d later, and before d earlier.
func (s span) after(d *big.Rat) span {
	return span{new(big.Rat).Add(s.from, d), new(big.Rat).Add(s.to, d)}
}

func (s span) before(d *big.Rat) span { return s.after(new(big.Rat).Neg(d)) }

// least returns the later of s and t.
func (s span) least(t span) span { return span{later(s.from, t.from), later(s.to, t.to)} }

// since returns how long it is from t to s, at least 0.
func (s span) since(t span) span {
	return span{later(new(big.Rat).Sub(s.from, t.to), new(big.Rat)), later(new(big.Rat).Sub(s.to, t.from), new(big.Rat))}
}

func later(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return b
	}
	return a
}

// model is what the buckets of limits should do, in rational numbers and with no haste. All that it knows of time are
// bounds, so it knows bounds of the state; with them it tells whether an answer can be right.
type model struct {
	limits     []ratelimit.Limit // with their defaults
	full       []span            // when each is full
	inOrder    bool
	resolution time.Duration
	rounding   *big.Rat // by which a bucket may be off, for a rate that no nanosecond divides
}

func newModel(limits []ratelimit.Limit, h Harness) *model {
	m := &model{inOrder: h.InOrder, resolution: h.Resolution, rounding: new(big.Rat)}
	for _, l := range limits {
		if l.Shadow {
			continue // decides nothing
		}
		m.limits = append(m.limits, filled(l))
		m.full = append(m.full, between(0, 0))
	}
	return m
}

// filled returns l with its defaults.
func filled(l ratelimit.Limit) ratelimit.Limit {
	if l.Name == "" {
		l.Name = ratelimit.DefaultLimitName
	}
	if l.Burst == 0 {
		l.Burst = l.Tokens
	}
	return l
}

// cost returns the time in which n tokens of limit i come in.
func (m *model) cost(i int, n int64) *big.Rat {
	l := m.limits[i]
	return new(big.Rat).Mul(big.NewRat(int64(l.Per), l.Tokens), new(big.Rat).SetInt64(n))
}

// missing returns how long bucket i takes until it is full.
func (m *model) missing(i int, at span) span {
	s := m.full[i].since(at)
	return span{later(new(big.Rat).Sub(s.from, m.rounding), new(big.Rat)), new(big.Rat).Add(s.to, m.rounding)}
}

// left returns the fewest and the most tokens that can be in bucket i.
func (m *model) left(i int, at span) (fewest, most int64) {
	missing, size, token := m.missing(i, at), m.cost(i, m.limits[i].Burst), m.cost(i, 1)
	tokens := func(missing *big.Rat) int64 {
		have := new(big.Rat).Sub(size, missing)
		if have.Sign() <= 0 {
			return 0
		}
		have.Quo(have, token)
		return new(big.Int).Quo(have.Num(), have.Denom()).Int64()
	}
	return tokens(missing.to), tokens(missing.from)
}

// wait returns how long it takes until n tokens fit into bucket i, at least and at most.
func (m *model) wait(i int, at span, n int64) (least, most time.Duration) {
	lack := m.missing(i, at).after(m.cost(i, n)).before(m.cost(i, m.limits[i].Burst))
	return m.rounded(lack)
}

// rounded returns the durations that a taker may answer for s.
func (m *model) rounded(s span) (least, most time.Duration) {
	most = up(s.to)
	if most > 0 {
		most += m.resolution - 1
	}
	return up(s.from), most
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

// take tells what is wrong with the answer to a take of n tokens, and takes them if the answer says so.
func (m *model) take(at span, n int64, got ratelimit.Result) (fault string) {
	binding := -1
	for i, l := range m.limits {
		if got.Limit == l {
			binding = i
		}
	}
	switch {
	case binding < 0:
		return "no such limit was given"
	case got.Degraded:
		return "it is degraded"
	case !got.Allowed:
		return m.denied(binding, at, n, got)
	}
	for i, l := range m.limits {
		if n > l.Burst {
			return fmt.Sprintf("%d were allowed, which %s never holds", n, l.Name)
		}
		if least, _ := m.wait(i, at, n); n > 0 && least > 0 {
			return fmt.Sprintf("it was allowed, but %s lacks tokens for another %v", l.Name, least)
		}
	}
	m.add(at, n)
	if got.Never || got.RetryAfter != 0 {
		return "it is allowed, and tells when to try again"
	}
	if i := m.fewer(binding, at); i >= 0 {
		return m.limits[i].Name + " has fewer tokens left, or as few and is to be named first"
	}
	return m.stands(binding, at, got)
}

// fewer returns the limit that must be named instead of the binding one when a take was allowed, or −1: one that has fewer
// tokens left, or as few and no more until later, or neither and comes first. A chain does not know when there are more.
func (m *model) fewer(binding int, at span) int {
	fewest, _ := m.left(binding, at)
	_, latest := m.more(binding, at, fewest)
	for i := range m.limits {
		_, most := m.left(i, at)
		if most < fewest {
			return i
		}
		if i == binding || most > fewest {
			continue
		}
		earliest, _ := m.more(i, at, fewest)
		if earliest > latest && !m.inOrder || i < binding && (earliest == latest || m.inOrder) {
			return i
		}
	}
	return -1
}

// more returns how long it takes until bucket i has a token more than left, at least and at most. A full one never has.
func (m *model) more(i int, at span, left int64) (least, most time.Duration) {
	if left >= m.limits[i].Burst {
		return math.MaxInt64, math.MaxInt64
	}
	return m.wait(i, at, left+1)
}

// denied tells what is wrong with the answer to a take that was denied by the binding limit.
func (m *model) denied(binding int, at span, n int64, got ratelimit.Result) (fault string) {
	if n <= 0 {
		return "a peek was denied"
	}
	l := m.limits[binding]
	if got.Never != (n > l.Burst) {
		return fmt.Sprintf("%s holds %d tokens, and %d were asked for", l.Name, l.Burst, n)
	}
	least, most := time.Duration(0), time.Duration(0)
	if !got.Never {
		least, most = m.wait(binding, at, n)
		if most == 0 {
			return fmt.Sprintf("%d fit into %s", n, l.Name)
		}
		least = max(1, least)
	}
	if i := m.instead(binding, at, n); i >= 0 {
		return fmt.Sprintf("it is %s that denies it", m.limits[i].Name)
	}
	if got.RetryAfter < least || got.RetryAfter > most {
		return fmt.Sprintf("RetryAfter is %v, want %s", got.RetryAfter, bounds(least, most))
	}
	return m.stands(binding, at, got)
}

// instead returns the limit that must be named instead of the binding one when n tokens are denied, or −1.
func (m *model) instead(binding int, at span, n int64) int {
	never := n > m.limits[binding].Burst
	_, longest := m.wait(binding, at, n)
	for i, l := range m.limits {
		least, _ := m.wait(i, at, n)
		first := i < binding
		switch {
		case i == binding:
		case m.inOrder:
			if first && (n > l.Burst || least > 0) {
				return i
			}
		case n > l.Burst:
			if first || !never {
				return i
			}
		case !never && (least > longest || least == longest && first):
			return i
		}
	}
	return -1
}

// stands tells what is wrong with what the answer says of the bucket.
func (m *model) stands(i int, at span, got ratelimit.Result) (fault string) {
	if fewest, most := m.left(i, at); got.Remaining < fewest || got.Remaining > most {
		return fmt.Sprintf("Remaining is %d, want %s", got.Remaining, bounds(fewest, most))
	}
	if least, most := m.rounded(m.missing(i, at)); got.ResetAfter < least || got.ResetAfter > most {
		return fmt.Sprintf("ResetAfter is %v, want %s", got.ResetAfter, bounds(least, most))
	}
	return ""
}

func bounds[V int64 | time.Duration](least, most V) string {
	if least == most {
		return fmt.Sprint(least)
	}
	return fmt.Sprintf("%v to %v", least, most)
}

// add takes n tokens from all buckets, into debt, or gives back −n.
func (m *model) add(at span, n int64) {
	if n == 0 {
		return
	}
	for i := range m.limits {
		m.full[i] = m.full[i].least(at).after(m.cost(i, n))
	}
}

// set replaces the limits: each bucket is as full, by share, as that of the same name was, or as the emptiest.
func (m *model) set(at span, limits []ratelimit.Limit) {
	next := &model{inOrder: m.inOrder, resolution: m.resolution, rounding: m.rounding}
	for i, l := range limits {
		l = filled(l)
		share := between(0, 0) // that is missing
		for j, old := range m.limits {
			size := new(big.Rat).Inv(m.cost(j, old.Burst))
			missing := m.missing(j, at)
			of := span{new(big.Rat).Mul(missing.from, size), new(big.Rat).Mul(missing.to, size)}
			if old.Name == l.Name {
				share = of
				break
			}
			share = share.least(of)
		}
		next.limits = append(next.limits, l)
		size := next.cost(i, l.Burst)
		from, to := new(big.Rat).Mul(share.from, size), new(big.Rat).Mul(share.to, size)
		if !to.IsInt() {
			to.Add(to, big.NewRat(1, 1)) // a taker may round it up to what it counts in
		}
		next.full = append(next.full, span{from.Add(from, at.from), to.Add(to, at.to)})
	}
	*m = *next
}
