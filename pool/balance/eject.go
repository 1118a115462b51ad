package balance

import (
	"cmp"
	"context"
	"slices"

	"github.com/joist-go/joist/internal/telemetry"
)

// rounding makes up for a product such as 0.29 × 100, which may lie just below what it should be.
const rounding = 1e-9

// condemn makes an endpoint bad, unless its phase has changed.
func (b *Balancer[E]) condemn(ctx context.Context, e *endpoint[E], phase uint64) {
	if b.condemned(e, phase) {
		telemetry.Event(ctx, "joist.balance.ejected", b.name)
	}
}

// condemned does it, and tells whether the endpoint is ejected.
func (b *Balancer[E]) condemned(e *endpoint[E], phase uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.phase.Load() != phase || !e.member {
		return false
	}
	now := b.clock.Now()
	well := max(now-e.back, 0) / b.ejectFor
	most := (b.maxEjectFor + b.ejectFor - 1) / b.ejectFor
	e.times = min(max(e.times-well, 0)+1, most)
	e.until = now + min(e.times*b.ejectFor, b.maxEjectFor)
	b.serial++
	e.serial = b.serial
	e.ramp.Store(never)
	e.enterPhase(true)
	b.publish()
	return e.ejected
}

// restore has a bad endpoint serve again, for a call that was sent to it meanwhile succeeded.
func (b *Balancer[E]) restore(e *endpoint[E], phase uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.phase.Load() == phase && e.member {
		b.serve(e, b.clock.Now())
		b.publish()
	}
}

// settle makes the changes that are due, each as of when it was, and returns the snapshot after them.
func (b *Balancer[E]) settle(now int64) *members[E] {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.members.Load()
	if now < m.due { // another was quicker
		return m
	}
	for _, e := range m.all {
		if e.phase.Load()&badBit != 0 && e.until <= now {
			b.serve(e, e.until)
		}
		if began := e.ramp.Load(); began != never && now-began >= b.slowStart {
			e.ramp.Store(never)
		}
	}
	return b.publish()
}

// serve has a bad endpoint serve from a moment on, with a slow start if it was ejected until then.
func (b *Balancer[E]) serve(e *endpoint[E], from int64) {
	if e.ejected && b.slowStart > 0 {
		e.ramp.Store(from)
	}
	e.ejected = false
	e.back = from
	e.enterPhase(false)
}

// enterPhase begins a phase: what is out counts no more, and the counts begin anew.
func (e *endpoint[E]) enterPhase(bad bool) {
	next := (e.phase.Load()>>1 + 1) << 1
	if bad {
		next |= badBit
	}
	e.phase.Store(next)
	e.forget()
}

// publish decides which bad endpoints are ejected, and stores the snapshot that follows. It is called under the mutex
// with all changes made.
func (b *Balancer[E]) publish() *members[E] {
	old := b.members.Load()
	m := &members[E]{all: old.all, due: never}
	var bad []*endpoint[E]
	for _, e := range m.all {
		if e.phase.Load()&badBit != 0 {
			bad = append(bad, e)
			m.due = min(m.due, e.until)
		} else if began := e.ramp.Load(); began != never {
			m.ramping++
			m.due = min(m.due, began+b.slowStart)
		}
	}
	m.bad = len(bad)
	m.panics = b.panicAt != Off && float64(m.bad) > b.panicAt*float64(len(m.all))+rounding
	if !m.panics {
		m.ejected = min(m.bad, b.room(len(m.all)))
	}
	slices.SortFunc(bad, func(x, y *endpoint[E]) int { return cmp.Compare(x.serial, y.serial) })
	for i, e := range bad {
		ejected := i < m.ejected
		if ejected && !e.ejected {
			b.cell.Add(wordEjections, 1)
		}
		e.ejected = ejected
	}
	if m.ejected == 0 {
		m.serving = m.all
	} else {
		m.serving = make([]*endpoint[E], 0, len(m.all)-m.ejected)
		for _, e := range m.all {
			if !e.ejected {
				m.serving = append(m.serving, e)
			}
		}
	}
	b.members.Store(m)
	return m
}

// room returns how many of n endpoints may be ejected at once.
func (b *Balancer[E]) room(n int) int {
	room := int(b.maxEjected*float64(n) + rounding)
	if b.maxEjected == 1 {
		return n
	}
	return max(min(max(room, 1), n-1), 0)
}

// SetEndpoints replaces the endpoints. Those that stay keep all that is known about them; those that are new begin with a
// slow start, unless there were none before; picks of those that leave stay valid. It returns an error, and changes
// nothing, if there are more than 65 536 or one is there twice. The slice is not kept. It takes a time that grows with the
// number of endpoints, and picks go on meanwhile.
func (b *Balancer[E]) SetEndpoints(endpoints []E) error {
	if err := faultsOf(endpoints); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replace(endpoints)
	return nil
}

// replace is called under the mutex, or before the balancer is shared.
func (b *Balancer[E]) replace(endpoints []E) {
	now := b.clock.Now()
	all := make([]*endpoint[E], len(endpoints))
	kept := make(map[E]*endpoint[E], len(endpoints))
	for i, value := range endpoints {
		e := b.bySelf[value]
		if e == nil {
			e = newEndpoint(value)
			e.back = now
			b.number++
			e.number = b.number
			if b.slowStart > 0 && len(b.bySelf) > 0 {
				e.ramp.Store(now)
			}
		}
		all[i], kept[value] = e, e
	}
	for value, e := range b.bySelf {
		e.member = kept[value] != nil
	}
	b.bySelf = kept
	b.members.Store(&members[E]{all: all})
	b.publish()
}
