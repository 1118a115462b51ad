package breaker

import "sync/atomic"

// row counts failures in a row, in one word:
//
//	bits 63–48  tag: the low bits of the breaker's generation
//	bits 47–0   failures since the latest success
//
// A success of a breaker that has no failure to forget only reads it. Like the words of a window it takes nothing of an
// earlier generation, because each change compares the tag in the step that makes it.
type row struct {
	most uint64 // how many open the breaker; 0 when none do, and none are counted
	word atomic.Uint64
}

const rowMask = 1<<tagShift - 1

// add notes an outcome that has landed in the window, and returns how many failures in a row there are now.
func (r *row) add(tag uint64, o outcome) uint64 {
	for {
		old := r.word.Load()
		next := old &^ rowMask
		if o&failure != 0 {
			next = old + 1
		}
		if old>>tagShift != tag {
			return 0
		}
		if next == old || r.word.CompareAndSwap(old, next) {
			return next & rowMask
		}
	}
}

func (r *row) length(tag uint64) uint64 {
	if word := r.word.Load(); word>>tagShift == tag {
		return word & rowMask
	}
	return 0
}

func (r *row) reset(tag uint64) { r.word.Store(tag << tagShift) }
