package balance

import (
	"math"
	"sync/atomic"
)

// The layout of endpoint.word.
const (
	inflightMask    = 1<<24 - 1
	consecutiveBits = 24
	consecutiveOne  = 1 << consecutiveBits
	consecutiveMask = maxConsecutive << consecutiveBits
	callBits        = 32
	callOne         = 1 << callBits
	failureBits     = 48
	failureOne      = 1 << failureBits
	countMask       = 1<<16 - 1

	windowCalls = 256 // at so many calls the counts are halved
)

const (
	untimed = math.MinInt64 // the reading of a pick that reads no clock
	never   = math.MaxInt64
	longest = 500e9 // what a call counts as at most, in ns: times all calls that the word can count, it fits into 63 bits
)

// rules say what a call's outcome and time mean.
type rules struct {
	perDecay    float64 // half-lives per nanosecond
	consecutive uint64  // 0: off
	ratio       float64 // 0: off
	minCalls    uint64
}

// endpoint is what a balancer knows of one endpoint. Whoever holds a pick of it holds it, so a pick stays valid when the
// endpoint leaves.
//
// The word holds what each call changes:
//
//	bit 63 ────── 48   47 ────── 32   31 ───────── 24   23 ───── 0
//	failures           calls          failures in a     calls in
//	of late            of late        row, to 255       flight
//
// A pick adds one to the calls in flight, and a success takes it away and adds one to the calls in one addition. All
// else is a compare-and-swap. At 256 calls both counts are halved, so that they tell of the last 128 to 256. The counts
// have room for 65 000 successes that overtake the one which is to halve them, and the calls in flight for 16 million.
//
// The phase tells results that still count from late ones: see [Balancer].
type endpoint[E comparable] struct {
	word    atomic.Uint64
	latency atomic.Int64  // peak EWMA in ns, 0: never measured
	stamp   atomic.Int64  // reading at which latency was stored
	phase   atomic.Uint64 // generation<<1 | bad; changed under the balancer's mutex
	ramp    atomic.Int64  // reading at which slow start began, never: it is over; changed under the balancer's mutex
	_       [3]uint64     // what is above fills a cache line
	value   E
	number  uint32 // from 1 on, another one each time that a value joins
	score   uint64 // of a Rendezvous: a hash of its name

	// Guarded by the balancer's mutex.
	until   int64  // when it is bad no more
	back    int64  // when it was last bad no more, or joined
	times   int64  // how many times in a row it was bad
	serial  uint64 // of becoming bad: who was first is ejected first
	ejected bool
	member  bool
}

const badBit = 1

func newEndpoint[E comparable](value E) *endpoint[E] {
	e := &endpoint[E]{value: value, member: true}
	e.ramp.Store(never)
	return e
}

func (e *endpoint[E]) enter() { e.word.Add(1) }

// leave ends a call that says nothing.
func (e *endpoint[E]) leave() { e.word.Add(^uint64(0)) }

func (e *endpoint[E]) inflight() int64 { return int64(e.word.Load() & inflightMask) }

// succeed ends a call that was a success.
func (e *endpoint[E]) succeed() {
	if v := e.word.Add(callOne - 1); v&consecutiveMask != 0 || v>>callBits&countMask >= windowCalls {
		e.tidy()
	}
}

// tidy ends a row of failures, and halves counts that are full.
func (e *endpoint[E]) tidy() {
	for {
		v := e.word.Load()
		if e.word.CompareAndSwap(v, halved(v&^consecutiveMask)) {
			return
		}
	}
}

// fail ends a call that failed, and tells whether that makes the endpoint bad.
func (e *endpoint[E]) fail(r *rules) bool {
	for {
		v := e.word.Load()
		next := v - 1 + callOne + failureOne
		if v&consecutiveMask != consecutiveMask {
			next += consecutiveOne
		}
		if e.word.CompareAndSwap(v, halved(next)) {
			return r.bad(next)
		}
	}
}

func (r *rules) bad(word uint64) bool {
	if r.consecutive > 0 && word&consecutiveMask>>consecutiveBits >= r.consecutive {
		return true
	}
	calls, failures := word>>callBits&countMask, word>>failureBits
	return r.ratio > 0 && calls >= r.minCalls && float64(failures) >= r.ratio*float64(calls)
}

func halved(word uint64) uint64 {
	calls, failures := word>>callBits&countMask, word>>failureBits
	if calls < windowCalls {
		return word
	}
	return word&(callOne-1) | calls/2<<callBits | failures/2<<failureBits
}

// forget begins the counts anew, for the endpoint is in a new phase.
func (e *endpoint[E]) forget() {
	for {
		v := e.word.Load()
		if e.word.CompareAndSwap(v, v&inflightMask) {
			return
		}
	}
}

// cost is how long the next call would take here: the peak EWMA of the time of calls × (calls in flight + 1).
func (e *endpoint[E]) cost(r *rules, typical, now int64) int64 {
	return e.expect(r, typical, now) * (e.inflight() + 1)
}

// expect returns the time that a call takes here. What is above the typical time of all endpoints fades while no call
// says so again, to a little below it: so an endpoint that was slow is tried again, and one that has been idle does not
// look better than those that work. One that was never measured is typical. At now = untimed nothing fades.
func (e *endpoint[E]) expect(r *rules, typical, now int64) int64 {
	latency := e.latency.Load()
	if latency == 0 {
		return max(typical, 1)
	}
	if rest := typical - typical/8; now != untimed && latency > rest {
		return rest + r.fade(latency-rest, now-e.stamp.Load())
	}
	return latency
}

// learn takes the time of a call. A time above what is known is believed at once, one below by how much time has passed
// since the last (peak EWMA). The time of a call that did not succeed only raises: a failure is no faster answer. Of
// two that meet here one may be lost, which an average can bear.
func (e *endpoint[E]) learn(r *rules, took, now int64, success bool) {
	took = min(max(took, 1), longest)
	if latency := e.latency.Load(); took < latency {
		if !success {
			return
		}
		took += r.fade(latency-took, now-e.stamp.Load())
	} else if latency == 0 && !success {
		return
	}
	e.latency.Store(took)
	e.stamp.Store(now)
}

// fade halves d for each Decay in elapsed; in between it follows a line, which is at most 6 % above the curve.
func (r *rules) fade(d, elapsed int64) int64 {
	halvings := float64(elapsed) * r.perDecay
	switch {
	case halvings <= 0:
		return d
	case halvings >= 62:
		return 0
	}
	whole := int64(halvings)
	return int64(float64(d>>whole) * (1 - (halvings-float64(whole))/2))
}
