package balance

import (
	"math/rand/v2"
	"slices"
)

// rampFloor is the share of its picks that an endpoint gets when its slow start begins.
const rampFloor = 0.1

// members is a snapshot of the endpoints, replaced as a whole whenever one joins, leaves, is ejected or comes back. So a
// pick looks at no endpoint's state. It does not change once it is stored.
type members[E comparable] struct {
	all     []*endpoint[E]
	serving []*endpoint[E] // those that are picked from
	due     int64          // the reading at which a bad one is bad no more or a slow start is over, or never
	ramping int            // how many of serving are in slow start
	bad     int
	ejected int
	panics  bool
}

// exclusion is what a pick should avoid. It is on the stack of who picks; a nil one excludes nothing.
type exclusion[E comparable] struct {
	values  []E
	numbers [MaxTried]uint32
	count   int // of numbers
}

func (x *exclusion[E]) has(e *endpoint[E]) bool {
	return slices.Contains(x.numbers[:x.count], e.number) || slices.Contains(x.values, e.value)
}

// choose returns the better of two endpoints drawn at random, other than those of x while there are others; nil
// if there is none at all. The upper and the lower half of random are what it draws with.
func (b *Balancer[E]) choose(m *members[E], random uint64, now int64, x *exclusion[E]) *endpoint[E] {
	n := uint64(len(m.serving))
	if n < 2 {
		if n == 0 {
			return nil
		}
		return m.serving[0]
	}
	i, j := random>>32*n>>32, uint64(uint32(random))*(n-1)>>32
	if j >= i {
		j++
	}
	first, second := m.serving[i], m.serving[j]
	if x != nil && (x.has(first) || x.has(second)) {
		first, second = m.others(first, second, x)
	}
	if m.ramping > 0 {
		if warm, other := b.warm(first, now), b.warm(second, now); warm != nil || other != nil {
			first, second = warm, other
		}
	}
	return b.better(first, second, now)
}

// better returns the one where a call takes less time. One of the two may be nil.
func (b *Balancer[E]) better(first, second *endpoint[E], now int64) *endpoint[E] {
	if first == nil || second == nil {
		if first == nil {
			return second
		}
		return first
	}
	typical := int64(b.typical.Get())
	if second.cost(&b.rules, typical, now) < first.cost(&b.rules, typical, now) {
		return second
	}
	return first
}

// others draws two endpoints that are not excluded, each pair in each order as probable as any other. Two is nil if there is one
// alone. If there is none it returns what it was given.
func (m *members[E]) others(first, second *endpoint[E], x *exclusion[E]) (one, two *endpoint[E]) {
	seen := 0
	for _, e := range m.serving {
		if x.has(e) {
			continue
		}
		seen++
		at := seen - 1
		if seen > 2 {
			at = rand.IntN(seen)
		}
		switch at {
		case 0:
			one = e
		case 1:
			two = e
		}
	}
	switch {
	case seen == 0:
		return first, second
	case seen > 1 && rand.Uint64()&1 == 0: // the first of a pair is picked if both cost the same
		return two, one
	default:
		return one, two
	}
}

// warm returns e, or nil if it is in slow start and this pick is not among its share.
func (b *Balancer[E]) warm(e *endpoint[E], now int64) *endpoint[E] {
	if e == nil {
		return nil
	}
	began := e.ramp.Load()
	if began == never {
		return e
	}
	share := max(float64(now-began)/float64(b.slowStart), rampFloor)
	if rand.Float64() >= share {
		return nil
	}
	return e
}
