package lincheck

import (
	"time"

	"github.com/anishathalye/porcupine"
)

// The limit of each key, and what a history of a Keyed is made of.
const (
	perToken  = time.Second
	burst     = 2
	allKeys   = 24 // of which the first are asked for most
	hotKeys   = 3
	fewPlaces = 2
)

type bucketOp int

const (
	takeTokens bucketOp = iota
	chargeTokens
	refundTokens
	setLimits // the same ones: they are counted elsewhere from then on
)

// bucketCall is one call and its answer. No time passes within a call.
type bucketCall struct {
	op     bucketOp
	key    int
	tokens time.Duration // in the time that they need to come in
	at     time.Duration
}

type bucketAnswer struct {
	allowed bool
	full    time.Duration // when the bucket is full, if it is not
}

// buckets says for each key when its bucket is full. The last is the overflow bucket.
type buckets [allKeys + 1]time.Duration

// keyedModel says what a Keyed is that never drops a bucket, but gives no place to a new one while so many places are
// those of buckets that are not full.
func keyedModel(places int) porcupine.Model {
	model := porcupine.Model{
		Init: func() any { return buckets{} },
		Step: func(s, in, out any) (bool, any) {
			return s.(buckets).step(in.(bucketCall), out.(bucketAnswer), places)
		},
	}
	if places >= allKeys { // then keys are independent
		model.Partition = func(history []porcupine.Operation) [][]porcupine.Operation {
			keys := make([][]porcupine.Operation, allKeys)
			for _, op := range history {
				key := op.Input.(bucketCall).key
				keys[key] = append(keys[key], op)
			}
			return keys
		}
	}
	return model
}

// step tells whether a call may have that answer, and what the buckets are after it.
func (b buckets) step(c bucketCall, a bucketAnswer, places int) (bool, buckets) {
	i := b.bucketOf(c, places)
	full := &b[i]
	after := max(*full, c.at) + c.tokens
	switch c.op {
	case takeTokens:
		fits := after <= c.at+burst*perToken
		if fits {
			*full = after
		}
		return a.allowed == fits && (a.full == *full || a.full == 0 && *full <= c.at), b
	case chargeTokens:
		*full = after
		return a.allowed, b
	case refundTokens:
		if i < allKeys && *full > c.at {
			*full = max(*full-c.tokens, c.at)
		}
		return a.allowed, b
	default: // with the same limits the bucket is as full as it was
		return a.allowed == (i < allKeys), b
	}
}

// bucketOf returns the bucket of a call: the overflow bucket when the key's own is full, and all places those of others.
func (b buckets) bucketOf(c bucketCall, places int) int {
	if b[c.key] > c.at {
		return c.key
	}
	for _, full := range b[:allKeys] {
		if full > c.at {
			places--
		}
	}
	if places <= 0 {
		return allKeys
	}
	return c.key
}
