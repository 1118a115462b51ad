package bulkhead

import (
	"cmp"
	"math"
)

// aimd is the law of an [AIMD].
type aimd struct {
	bounds
	limit     float64
	timeout   int64
	backoff   float64
	dropRatio float64
}

func newAIMD(l AIMD, b bounds) *aimd {
	return &aimd{
		bounds:    b,
		limit:     float64(b.initial),
		timeout:   int64(l.Timeout),
		backoff:   cmp.Or(l.Backoff, DefaultBackoff),
		dropRatio: cmp.Or(l.DropRatio, DefaultDropRatio),
	}
}

func (l *aimd) dropped(took int64) bool { return l.timeout > 0 && took > l.timeout }

func (l *aimd) enough() int { return fewCalls }

func (l *aimd) next(w window) (limit int, fresh bool) {
	switch {
	case float64(w.drops) > l.dropRatio*float64(w.calls):
		l.limit *= l.backoff
		fresh = true // what the old limit has brought about must not cut the new one
	case 2*w.peak >= w.limit:
		l.limit += math.Max(1, l.limit/50)
	}
	l.limit = l.within(l.limit)
	return int(l.limit), fresh
}
