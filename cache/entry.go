package cache

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Source says where an answer came from.
type Source uint8

const (
	// SourceLocal is the cache's own memory.
	SourceLocal Source = iota + 1
	// SourceLoad is a load that the Get waited for.
	SourceLoad
)

// String returns "local" or "load", and "none" for the zero Source.
func (s Source) String() string {
	switch s {
	case SourceLocal:
		return "local"
	case SourceLoad:
		return "load"
	default:
		return "none"
	}
}

// Entry is a value and what is known of it, enough for the header fields Age, Cache-Control and Cache-Status of an HTTP
// answer. The zero Entry stands beside an error.
type Entry[V any] struct {
	// Value is shared with every other caller: treat what it points to as read-only.
	Value V
	// Age is the time since the value's load began, or since its Set. It is never negative.
	Age time.Duration
	// FreshFor is how long the value stays fresh: 0 or less for a stale one, and the longest Duration for one that is
	// fresh until it is replaced.
	FreshFor time.Duration
	// Stale tells that the value is past its TTL.
	Stale bool
	// Source says where the value came from.
	Source Source
}

// kind tells the entries apart by what they hold, so that no value need mean "nothing".
type kind uint8

const (
	kindValue  kind = iota
	kindAbsent      // the source said ErrNotFound
	kindFailed      // no value: the load failed
)

// entry is what the engine holds for a key. All times are readings of the cache's clock.
//
// An entry is immutable once it is published, but for refreshing: a change is a new entry. So a reader needs no lock,
// and a pointer tells one state of a key from another.
//
//	loadedAt ── fresh ── hitUntil ── served, refreshed behind ── staleUntil ── served if the load fails ── deadAt
type entry[V any] struct {
	hitUntil   int64 // a value answers as fresh before it; math.MinInt64 for other kinds, so that a hit compares once
	value      V     // beside hitUntil, so that a hit touches one cache line
	staleUntil int64 // the end of StaleWhileRevalidate
	deadAt     int64 // the entry is garbage from here on
	loadedAt   int64 // the start of the load, or the time of Set
	retryAt    int64 // no load before it: the last load failed; math.MinInt64 when it did not

	err      error // the ErrNotFound answer, or the last failure
	failures int   // failed loads in a row
	kind     kind

	refreshing atomic.Bool // a refresh of this entry runs: others need not ask for one
}

// usable tells whether e holds a value that may still be served in some way.
func (e *entry[V]) usable(now int64) bool {
	return e != nil && e.kind == kindValue && now < e.deadAt
}

// due tells whether a load of the key of e, nil for no entry, may begin: e is neither fresh, nor a kept ErrNotFound, nor
// backing off.
func (e *entry[V]) due(now int64) bool {
	return e == nil || now >= e.hitUntil && now >= e.retryAt && (e.kind != kindAbsent || now >= e.staleUntil)
}

// public returns e's value as callers see it.
func (e *entry[V]) public(now int64, source Source) Entry[V] {
	freshFor := time.Duration(math.MaxInt64)
	if e.hitUntil != never {
		freshFor = time.Duration(e.hitUntil - now)
	}
	return Entry[V]{
		Value:    e.value,
		Age:      time.Duration(max(now-e.loadedAt, 0)),
		FreshFor: freshFor,
		Stale:    now >= e.hitUntil,
		Source:   source,
	}
}

// never is a clock reading that does not come.
const never = math.MaxInt64

// lives are the lengths from which deadlines are made. Negative ones have no end.
type lives struct {
	ttl, staleWhileRevalidate, staleIfError, notFoundTTL time.Duration
	jitter                                               float64
}

// value returns the entry of a value whose load began at start.
func value[V any](l *lives, v V, start int64) *entry[V] {
	fresh := after(start, l.shortened(l.ttl))
	stale := after(fresh, l.staleWhileRevalidate)
	return &entry[V]{
		kind:       kindValue,
		value:      v,
		loadedAt:   start,
		hitUntil:   fresh,
		staleUntil: stale,
		deadAt:     max(stale, after(fresh, l.staleIfError)),
		retryAt:    math.MinInt64,
	}
}

// absent returns the entry of a key that the source did not have when it was asked at start.
func absent[V any](l *lives, err error, start int64) *entry[V] {
	until := after(start, l.shortened(l.notFoundTTL))
	return &entry[V]{
		kind:       kindAbsent,
		err:        err,
		loadedAt:   start,
		hitUntil:   math.MinInt64,
		staleUntil: until,
		deadAt:     until,
		retryAt:    math.MinInt64,
	}
}

// failedAgain returns what is left of e, nil if there is none, after one more failed load: a value lives on and
// remembers the failure, a kept ErrNotFound lives on as it is, and anything else is a key without a value.
func (e *entry[V]) failedAgain(err error, failures int, start, now, retryAt, forgetAt int64) *entry[V] {
	switch {
	case e == nil, e.kind == kindFailed, now >= e.deadAt:
		return &entry[V]{
			kind:       kindFailed,
			err:        err,
			failures:   failures,
			loadedAt:   start,
			hitUntil:   math.MinInt64,
			staleUntil: math.MinInt64,
			deadAt:     forgetAt,
			retryAt:    retryAt,
		}
	case e.kind == kindAbsent:
		return e
	}
	return &entry[V]{
		kind:       kindValue,
		value:      e.value,
		err:        err,
		failures:   failures,
		loadedAt:   e.loadedAt,
		hitUntil:   e.hitUntil,
		staleUntil: e.staleUntil,
		deadAt:     e.deadAt,
		retryAt:    retryAt,
	}
}

// shortened returns d less a random part of at most the jitter's share.
func (l *lives) shortened(d time.Duration) time.Duration {
	if d <= 0 || l.jitter <= 0 {
		return d
	}
	return d - time.Duration(l.jitter*rand.Float64()*float64(d))
}

// after returns the reading d after t, or never if d is negative or the sum is out of range.
func after(t int64, d time.Duration) int64 {
	if d < 0 || t > never-int64(d) {
		return never
	}
	return t + int64(d)
}
