package bulkhead

import (
	"fmt"
	"math"
	"time"

	"github.com/joist-go/joist/internal/options"
)

// MaxLimit is the highest limit of a bulkhead.
const MaxLimit = 1<<24 - 1

// Limit says how many calls may be in flight. It is implemented in this package alone, by [Fixed], [AIMD] and
// [Gradient].
type Limit interface {
	// sealed keeps Limit to this package, so that further kinds of limit can ask more of it.
	sealed()
}

// Fixed is a limit that only [Bulkhead.SetLimit] changes: at most that many calls at once, 1 to [MaxLimit]. Any value
// below 1 is an error of [New]: a bulkhead that lets nothing through is a switch, and one without a limit is no bulkhead.
type Fixed int

// The defaults of [AIMD] and [Gradient].
const (
	DefaultInitial    = 20
	DefaultMin        = 1
	DefaultMax        = 1000
	DefaultBackoff    = 0.9
	DefaultDropRatio  = 0.01
	DefaultTolerance  = 1.1
	DefaultProbeEvery = 30 * time.Second
)

// AIMD is a limit that grows slowly while calls succeed and is cut when the dependency says that it has too much to do:
// additive increase, multiplicative decrease, as TCP does it (Chiu and Jain, 1989). It looks at drops alone, so it finds
// the limit at which the dependency begins to refuse or calls to time out, and goes up and down below it. Processes that
// share a dependency get equal shares. It does not see a queue that grows without any drop: set Timeout, or use
// [Gradient].
//
// The limit is looked at in windows of 100 ms or two typical calls, if that is longer, and of at least 10 calls. In a
// window in which it was used by half or more, it grows by 1, or by 2 % if that is more.
type AIMD struct {
	// Initial is the limit to begin with, from Min to Max. 0 is 20, or the nearest that Min and Max allow.
	Initial int
	// Min is the lowest limit, at least 1. 0 is 1.
	Min int
	// Max is the highest limit, at most MaxLimit. 0 is 1000, or Min if that is more.
	Max int
	// Timeout makes a call that succeeds after a longer time a drop. Choose it well above what the slowest calls take
	// when there is no queue: DropRatio of them must not pass it. 0 is none.
	Timeout time.Duration
	// Backoff is what the limit is multiplied by on a drop, from 0.5 to below 1. 0 is 0.9.
	Backoff float64
	// DropRatio is the share of drops among the calls of a window above which it is cut, from 0 to below 1: a dependency
	// that loses a call now and then is not overloaded. 0 is 0.01.
	DropRatio float64
}

// Gradient is a limit that follows the time of calls: it stands where they begin to queue at the dependency. The idea is
// that of gradient2 in Netflix's concurrency-limits, and of TCP Vegas before it. In each window
//
//	limit = limit × (Tolerance × time without a queue / time now, but at most 1) + √limit
//
// smoothed over several windows. It needs no drops; a window with more than 1 % of them multiplies the limit by 0.9
// instead.
//
// What others ran into is guarded. The time without a queue is not an average that creeps up with the queue, and not a
// minimum that one lucky call sets for ever: it is measured anew every ProbeEvery, by a window or two at half the limit,
// and at once when the limit has fallen by a quarter. The limit grows only while half of it is used, and falls to 5
// times what is. The √ keeps it from being pinned to 1.
//
// The calls' times must be of one kind: with fast and slow ones in turn, give each kind a bulkhead. Processes that share
// a dependency see each other's queue as a part of the time that the work takes, so use it in front of your own work, or
// where one process is most of the load, and AIMD where there are many.
//
// A window lasts 100 ms or two typical calls, if that is longer, and until 100 calls have ended, or 5 for each of the
// limit if that is more, but no longer than a second or ten typical calls if 10 have; the fewer they were, the less it
// counts.
type Gradient struct {
	// Initial is the limit to begin with, from Min to Max. 0 is 20, or the nearest that Min and Max allow.
	Initial int
	// Min is the lowest limit, at least 1. 0 is 1.
	Min int
	// Max is the highest limit, at most MaxLimit. 0 is 1000, or Min if that is more.
	Max int
	// Tolerance is how many times the time without a queue a call may take before the limit falls, from 1 to 10. The
	// limit settles at about Tolerance times the number of calls that the dependency works at, and the root of it. 0 is
	// 1.1.
	Tolerance float64
	// ProbeEvery is how often the time without a queue is measured, at least 1 s. 0 is 30 s.
	ProbeEvery time.Duration
}

func (Fixed) sealed()    {}
func (AIMD) sealed()     {}
func (Gradient) sealed() {}

// check records what is wrong with l. If nothing is, it returns the limit to begin with and what changes it, nil for
// nothing.
func check(faults *options.Faults, l Limit) (initial int, changes law) { //nolint:ireturn // there are two
	switch l := l.(type) {
	case nil:
		faults.Missing("Limit")
	case Fixed:
		faults.Require(l >= 1 && l <= MaxLimit, "Limit", int(l), fmt.Sprintf("must be from 1 to %d", MaxLimit))
		return int(l), nil
	case AIMD:
		bounds := checkBounds(faults, l.Initial, l.Min, l.Max)
		faults.Require(l.Timeout >= 0, "Limit.Timeout", l.Timeout, "must not be negative (0 is none)")
		faults.Require(l.Backoff == 0 || l.Backoff >= 0.5 && l.Backoff < 1, "Limit.Backoff", l.Backoff,
			"must be from 0.5 to below 1 (0 is the default)")
		faults.Require(l.DropRatio >= 0 && l.DropRatio < 1, "Limit.DropRatio", l.DropRatio,
			"must be from 0 to below 1 (0 is the default)")
		return bounds.initial, newAIMD(l, bounds)
	case Gradient:
		bounds := checkBounds(faults, l.Initial, l.Min, l.Max)
		faults.Require(l.Tolerance == 0 || l.Tolerance >= 1 && l.Tolerance <= 10, "Limit.Tolerance", l.Tolerance,
			"must be from 1 to 10 (0 is the default)")
		faults.Require(l.ProbeEvery == 0 || l.ProbeEvery >= time.Second, "Limit.ProbeEvery", l.ProbeEvery,
			"must be at least 1s (0 is the default)")
		return bounds.initial, newGradient(l, bounds)
	default: // a pointer to a limit has its methods too
		faults.Require(false, "Limit", fmt.Sprintf("a %T", l), "must be a Fixed, an AIMD or a Gradient")
	}
	return 0, nil
}

// bounds are those of an adaptive limit, with their defaults.
type bounds struct{ initial, min, max int }

func checkBounds(faults *options.Faults, initial, low, high int) bounds {
	b := bounds{initial, low, high}
	if b.min == 0 {
		b.min = DefaultMin
	}
	if b.max == 0 {
		b.max = max(DefaultMax, b.min)
	}
	faults.Require(b.min >= 1 && b.min <= MaxLimit, "Limit.Min", low, fmt.Sprintf("must be from 1 to %d (0 is the default)", MaxLimit))
	faults.Require(b.max >= b.min && b.max <= MaxLimit, "Limit.Max", high,
		fmt.Sprintf("must be from Min to %d (0 is the default)", MaxLimit))
	if b.initial == 0 {
		b.initial = min(max(DefaultInitial, b.min), b.max)
	}
	faults.Require(b.initial >= b.min && b.initial <= b.max, "Limit.Initial", initial, "must be from Min to Max (0 is the default)")
	return b
}

// within returns limit within the bounds.
func (b bounds) within(limit float64) float64 {
	return math.Min(math.Max(limit, float64(b.min)), float64(b.max))
}
