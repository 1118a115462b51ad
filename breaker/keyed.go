package breaker

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/joist-go/joist/internal/options"
)

// The default and the upper bound of KeyedOptions.MaxKeys.
const (
	DefaultMaxKeys = 10_000
	MaxMaxKeys     = 1 << 24
)

// maxLooks bounds how many breakers one new key looks at for one to drop. Up to 64 keys it sees all of them twice, which
// finds the one if there is any.
const maxLooks = 128

// KeyedOptions configure a [Keyed].
type KeyedOptions[K comparable] struct {
	// Options are those of every breaker. They share the Name, and one set of instruments.
	Options
	// MaxKeys bounds the number of breakers, from 1 to 16 777 216. 0 is 10 000. One takes up to 512 bytes, not counting
	// its key; some 250 more with SlowCall, 50 more with ConsecutiveFailures, and with LastCalls(n) n and some 200 more.
	MaxKeys int
	// OnKeyStateChange is told as Options.OnStateChange is, and after it, and of the key. Changes of one breaker come in
	// order; those of different breakers at the same time. It is not told of the overflow breaker.
	OnKeyStateChange func(key K, t Transition)
}

// Keyed holds a breaker per key: per host, shard or tenant. It is made with [NewKeyed] and safe for concurrent use.
//
// It never holds more than MaxKeys breakers. When a new key finds it full, a closed breaker without a call out is
// dropped, one that was not asked for lately if there is one. Breakers that are not closed, have a call out, or were given
// a mode of their own are never dropped; when no other is found, new keys share one more breaker, the overflow. A search
// looks at 128 breakers at most and goes on where the last one ended.
type Keyed[K comparable] struct {
	set    *settings
	max    int
	notify func(Transition)
	onKey  func(K, Transition)
	ledger *ledger

	overflow   *Breaker
	overflowed atomic.Int64

	mu      sync.RWMutex
	byKey   map[K]*Breaker
	ring    []seat[K] // the same breakers, in the order of the search
	hand    int       // where the search goes on
	dropped int64

	mode atomic.Uint32 // a Mode: that of new breakers
}

type seat[K comparable] struct {
	key     K
	breaker *Breaker
}

// NewKeyed returns a Keyed without breakers. All faults of o are reported at once.
func NewKeyed[K comparable](o KeyedOptions[K]) (*Keyed[K], error) {
	f := options.Check("joist/breaker", "KeyedOptions")
	o.check(f)
	f.Require(o.MaxKeys >= 0 && o.MaxKeys <= MaxMaxKeys, "MaxKeys", o.MaxKeys, "must be from 1 to 16777216 (0 is the default)")
	if err := f.Err(); err != nil {
		return nil, err
	}
	k := &Keyed[K]{
		set:    o.settings(),
		max:    o.MaxKeys,
		notify: o.OnStateChange,
		onKey:  o.OnKeyStateChange,
		ledger: &ledger{},
		byKey:  make(map[K]*Breaker),
	}
	if k.max == 0 {
		k.max = DefaultMaxKeys
	}
	k.set.keyed = true
	k.mode.Store(uint32(o.Mode))
	k.overflow = newBreaker(k.set, o.Mode, k.notify)
	k.ledger.overflow = k.overflow.tally
	observe(o.MeterProvider, o.Name, k, k.ledger, (*Keyed[K]).count)
	return k, nil
}

// For returns the breaker of key, which it makes if there is none. It does not allocate if there is one. Ask again for
// each call rather than keep the breaker: one that was dropped meanwhile goes on working, but For does not return it any
// more. A key that does not equal itself, such as a NaN, gets the overflow breaker.
func (k *Keyed[K]) For(key K) *Breaker {
	k.mu.RLock()
	b := k.byKey[key]
	k.mu.RUnlock()
	if b == nil {
		return k.create(key)
	}
	if !b.tally.used.Load() {
		b.tally.used.Store(true)
	}
	return b
}

func (k *Keyed[K]) create(key K) *Breaker {
	if key != key { //nolint:gocritic,staticcheck // a NaN: no map finds it again
		k.overflowed.Add(1)
		return k.overflow
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if b := k.byKey[key]; b != nil {
		return b
	}
	place := len(k.ring)
	if place >= k.max {
		if place = k.vacate(); place < 0 {
			k.overflowed.Add(1)
			return k.overflow
		}
	} else {
		k.ring = append(k.ring, seat[K]{})
	}
	key = ownKey(key)
	b := newBreaker(k.set, k.Mode(), k.listener(key))
	b.tally.used.Store(true) // its first call has still to begin
	k.ledger.seat(place, k.ring[place].breaker, b)
	k.ring[place] = seat[K]{key, b}
	k.byKey[key] = b
	return b
}

// vacate drops a breaker and returns its place, or -1 if it finds none that it may drop. The first look at a breaker that
// was used since the last one only takes note.
func (k *Keyed[K]) vacate() int {
	for range min(2*len(k.ring), maxLooks) {
		place := k.hand
		k.hand = (k.hand + 1) % len(k.ring)
		s := k.ring[place]
		if s.breaker.tally.used.Swap(false) || !s.breaker.idle(k.Mode()) {
			continue
		}
		delete(k.byKey, s.key)
		k.dropped++
		return place
	}
	return -1
}

// idle reports whether the breaker is closed, has no call out, and no mode of its own.
func (b *Breaker) idle(mode Mode) bool {
	word := b.word()
	return stateOf(word) == Closed && modeOf(word) == mode && b.tally.out.Load() == 0
}

func (k *Keyed[K]) listener(key K) func(Transition) {
	if k.onKey == nil {
		return k.notify
	}
	return func(t Transition) {
		if k.notify != nil {
			k.notify(t)
		}
		k.onKey(key, t)
	}
}

// Mode returns the mode of new breakers, which is that of all unless one was given its own.
func (k *Keyed[K]) Mode() Mode { return Mode(k.mode.Load()) }

// SetMode changes the mode of all breakers, as [Breaker.SetMode] does for one, and of those that are made later. A mode
// that was set for a single key is lost; set it again afterwards. Of two concurrent calls the later one wins, for
// all keys. It panics if m is none of the constants of this package.
func (k *Keyed[K]) SetMode(m Mode) {
	m.mustBeKnown()
	k.mode.Store(uint32(m))
	// Who is made from here on has the new mode. Those before are in the ring, once the lock is free.
	k.mu.RLock()
	breakers := make([]*Breaker, 0, len(k.ring)+1)
	for _, s := range k.ring {
		breakers = append(breakers, s.breaker)
	}
	k.mu.RUnlock()
	for _, b := range append(breakers, k.overflow) {
		b.setMode(k.Mode)
	}
}

// count returns how many breakers count.
func (k *Keyed[K]) count(counts func(State, Mode) bool) int64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var n int64
	for _, s := range k.ring {
		if counts(s.breaker.peek()) {
			n++
		}
	}
	return n
}

// KeyedStats is what a Keyed tells about itself.
type KeyedStats struct {
	// Closed, Open and HalfOpen count the breakers by state. The overflow breaker is not among them.
	Closed, Open, HalfOpen int
	// Mode is that of new breakers.
	Mode Mode
	// OwnMode counts the breakers whose mode is another.
	OwnMode int
	// Successes, Failures, Slow, Ignored, Refused and Spared count the calls of all breakers since construction, those of dropped
	// ones and of the overflow breaker included.
	Successes, Failures, Slow, Ignored, Refused, Spared int64
	// Dropped counts the breakers that made room for others.
	Dropped int64
	// Overflowed counts how often For returned the overflow breaker.
	Overflowed int64
}

// Stats returns a snapshot. It looks at every breaker.
func (k *Keyed[K]) Stats() KeyedStats {
	s := KeyedStats{
		Mode:       k.Mode(),
		Successes:  k.ledger.Total(wordSuccess),
		Failures:   k.ledger.Total(wordFailure),
		Slow:       k.ledger.Total(wordSlow),
		Ignored:    k.ledger.Total(wordIgnored),
		Refused:    k.ledger.Total(wordRefused),
		Spared:     k.ledger.Total(wordSpared),
		Overflowed: k.overflowed.Load(),
	}
	k.count(func(state State, mode Mode) bool {
		switch state {
		case Closed:
			s.Closed++
		case Open:
			s.Open++
		case HalfOpen:
			s.HalfOpen++
		}
		if mode != s.Mode {
			s.OwnMode++
		}
		return true
	})
	k.mu.RLock()
	defer k.mu.RUnlock()
	s.Dropped = k.dropped
	return s
}

// ownKey returns a key that does not keep a larger string alive of which it was a part.
func ownKey[K comparable](key K) K {
	if s, ok := any(&key).(*string); ok {
		*s = strings.Clone(*s)
	}
	return key
}
