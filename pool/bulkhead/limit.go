package bulkhead

import (
	"fmt"

	"github.com/joist-go/joist/internal/options"
)

// MaxLimit is the highest limit of a bulkhead.
const MaxLimit = inflightMask

// Limit says how many calls may be in flight. It is implemented in this package alone, by [Fixed].
type Limit interface {
	// sealed keeps Limit to this package, so that further kinds of limit can ask more of it.
	sealed()
}

// Fixed is a limit that never changes: at most that many calls at once, 1 to [MaxLimit]. Any value below 1 is an error
// of [New]: a bulkhead that lets nothing through is a switch, and one without a limit is no bulkhead.
type Fixed int

func (Fixed) sealed() {}

// check records what is wrong with l and returns the limit to begin with.
func check(faults *options.Faults, l Limit) uint64 {
	switch l := l.(type) {
	case nil:
		faults.Missing("Limit")
	case Fixed:
		faults.Require(l >= 1 && l <= MaxLimit, "Limit", int(l), fmt.Sprintf("must be from 1 to %d", MaxLimit))
		return uint64(max(l, 0))
	default: // a pointer to a limit has its methods too
		faults.Require(false, "Limit", fmt.Sprintf("a %T", l), "must be a Fixed")
	}
	return 0
}
