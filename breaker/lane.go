package breaker

import (
	"iter"
	"sync/atomic"
)

// lane is a word for each bucket and stripe of a timeWindow, which explains its protocol, and the totals of what has left
// them.
type lane struct {
	own               [buckets]atomic.Uint64 // of a breaker that is to be small: it has one stripe
	striped           *striped               // instead of own, if not nil
	succeeded, failed atomic.Int64
}

// stripe gives an empty lane words for more than one stripe.
func (l *lane) stripe() { l.striped = new(striped) }

// word returns the word in which this goroutine counts for an epoch, which may be negative: elapsed time need not be
// positive.
func (l *lane) word(epoch int64) *atomic.Uint64 {
	i := uint64(epoch-never) % buckets
	if l.striped != nil {
		return l.striped.word(i)
	}
	return &l.own[i]
}

// all returns the words of all buckets and stripes.
func (l *lane) all() []atomic.Uint64 {
	if l.striped != nil {
		return l.striped[:]
	}
	return l.own[:]
}

// of goes through the words of an epoch, one for each stripe.
func (l *lane) of(epoch int64) iter.Seq[*atomic.Uint64] {
	return eachStripe(l.all(), uint64(epoch-never)%buckets)
}

// halve makes room in a bucket.
func (l *lane) halve(epoch int64, tag uint64) {
	for word := range l.of(epoch) {
		l.halveWord(word, tag)
	}
}

func (l *lane) halveWord(word *atomic.Uint64, tag uint64) {
	for {
		old := word.Load()
		if old>>tagShift != tag {
			return
		}
		ok, failed := counts(old)
		if word.CompareAndSwap(old, tag<<tagShift|uint64(ok/2)<<countBits|uint64(failed/2)) {
			l.succeeded.Add(ok - ok/2)
			l.failed.Add(failed - failed/2)
			return
		}
	}
}

// empty takes what is in a bucket out of the window. The caller holds turning, so that the tag does not change.
func (l *lane) empty(epoch int64) {
	for word := range l.of(epoch) {
		l.retire(word, word.Load()>>tagShift)
	}
}

func (l *lane) reset(tag uint64) {
	words := l.all()
	for i := range words {
		l.retire(&words[i], tag)
	}
}

// retire moves the counts of a word to the totals, and gives it a tag. The caller holds turning.
func (l *lane) retire(word *atomic.Uint64, tag uint64) {
	ok, failed := counts(word.Swap(tag << tagShift))
	if ok|failed != 0 {
		l.succeeded.Add(ok)
		l.failed.Add(failed)
	}
}

// take removes one success of the latest bucket that has any.
func (l *lane) take(epoch int64, tag uint64) bool {
	for i := range int64(buckets) {
		for word := range l.of(epoch - i) {
			for {
				old := word.Load()
				if ok, _ := counts(old); ok == 0 || old>>tagShift != tag {
					break
				}
				if word.CompareAndSwap(old, old-okUnit) {
					return true
				}
			}
		}
	}
	return false
}

func (l *lane) sum(tag uint64) (ok, failed int64) {
	words := l.all()
	for i := range words {
		word := words[i].Load()
		if word>>tagShift != tag {
			continue
		}
		o, f := counts(word)
		ok += o
		failed += f
	}
	return ok, failed
}

// total returns how many successes, or else failures, were ever counted.
func (l *lane) total(successes bool) int64 {
	sum := l.failed.Load()
	if successes {
		sum = l.succeeded.Load()
	}
	words := l.all()
	for i := range words {
		ok, failed := counts(words[i].Load())
		if successes {
			sum += ok
		} else {
			sum += failed
		}
	}
	return sum
}

// both returns how many outcomes were ever counted.
func (l *lane) both() int64 {
	sum := l.succeeded.Load() + l.failed.Load()
	words := l.all()
	for i := range words {
		ok, failed := counts(words[i].Load())
		sum += ok + failed
	}
	return sum
}

func counts(word uint64) (ok, failed int64) {
	return int64(word >> countBits & countMax), int64(word & countMax)
}
