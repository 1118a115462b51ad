package main

import (
	"slices"
	"strconv"
	"strings"
)

// goal is what is asked of one row: of a case, in some modes, beside one peer. What is not asked is the zero value or,
// for allocations, any.
type goal struct {
	block, name string // the case
	peer        string
	modes       []mode
	ratio       float64 // ours at most ratio × the peer
	ns          float64 // ours at most ns
	above       float64 // ours at most above ns more than the peer
	allocs      float64 // of ours at most
}

// anyAllocs asks nothing of the allocations.
const anyAllocs = -1

var (
	both       = modes
	serially   = []mode{serial}
	inParallel = []mode{parallel}
)

// goals is the one table of what joist promises beside its peers. Every row that is measured stands here, the ones that
// only compare without a limit. A goal that is missed stays, and fails: to change one, docs/decisions.md says why.
var goals = []goal{
	// A hit costs no more than the engine's own, with everything that the cache adds to it.
	{"cache", "hit", "otter", both, 1.0, 0, 0, 0},
	{"cache", "hit-string", "otter", both, 1.0, 0, 0, 0},
	{"cache", "hit-string", "sturdyc", both, 0, 0, 0, 0},

	{"ratelimit", "allow", "x/time/rate", serially, 0.55, 0, 0, 0},
	{"ratelimit", "allow", "x/time/rate", inParallel, 0.6, 0, 0, 0},
	{"ratelimit", "deny", "x/time/rate", serially, 0.5, 0, 0, 0},
	{"ratelimit", "deny", "x/time/rate", inParallel, 0.35, 0, 0, 0},
	{"ratelimit", "three", "x/time/rate", both, 1.2, 0, 0, 0},
	{"ratelimit", "wait", "x/time/rate", both, 0, 0, 0, 0},
	{"ratelimit", "keyed-100k", "go-limiter", serially, 1.1, 0, 0, 0},
	{"ratelimit", "keyed-100k", "go-limiter", inParallel, 0.5, 0, 0, 0},
	{"ratelimit", "keyed-1k", "go-limiter", both, 0, 0, 0, 0},

	{"ratelimithttp", "allowed", "go-limiter", both, 0, 1500, 0, 4},
	{"ratelimithttp", "denied", "go-limiter", both, 0, 1500, 0, 4},

	// avast's loop does nothing but count attempts, so its bare cost is the measure.
	{"retry", "success", "avast", both, 2.0, 0, 0, 0},
	{"retry", "success", "cenkalti", both, 0.25, 0, 0, 0},
	{"retry", "success-value", "avast", both, 2.0, 0, 0, 0},
	{"retry", "success-value", "cenkalti", both, 0.25, 0, 0, 0},
	{"retry", "attempt-timeout", "avast+WithTimeout", both, 0, 0, 0, 5},
	{"retry", "max-elapsed", "cenkalti", both, 0, 0, 0, 0},
	{"retry", "loop", "cenkalti", both, 0, 0, 0, anyAllocs},
	{"retry", "preset", "default", both, 0, 0, 0, 0},
	{"retry", "hedge", "default", both, 0, 0, 0, anyAllocs},

	{"breaker", "closed", "failsafe-go", both, 0.55, 0, 0, 0},
	{"breaker", "closed", "gobreaker", both, 0.35, 0, 0, 0},
	{"breaker", "permit", "failsafe-go", both, 0.55, 0, 0, 0},
	{"breaker", "permit", "gobreaker", both, 0.35, 0, 0, 0},
	{"breaker", "value", "failsafe-go", both, 0.55, 0, 0, 0},
	{"breaker", "count", "failsafe-go", both, 0.9, 0, 0, 0},
	{"breaker", "slow", "failsafe-go", both, 1.0, 0, 0, 0},
	{"breaker", "refused", "failsafe-go", both, 0.6, 0, 0, 0},
	{"breaker", "refused", "gobreaker", both, 0, 0, 0, 0},

	{"throttle", "accepted", "failsafe-go", both, 1.0, 0, 0, 0},

	{"pool", "go", "ants", both, 0.25, 0, 0, 0},
	{"pool", "go", "pond", both, 1.0, 0, 0, 0},
	{"pool", "go-cancellable", "ants", both, 0.25, 0, 0, 1},
	{"pool", "go-cancellable", "pond", both, 1.0, 0, 0, 1},
	{"pool", "submit", "pond", both, 0.5, 0, 0, 3},

	{"flight", "shared-key", "x/sync", both, 1.1, 0, 0, anyAllocs},
	{"flight", "distinct-keys", "x/sync", serially, 1.1, 0, 0, anyAllocs},
	{"flight", "distinct-keys", "x/sync", inParallel, 0.6, 0, 0, anyAllocs},
	{"flight", "cancellable", "resenje", both, 0.6, 0, 0, anyAllocs},

	{"bulkhead", "do", "semaphore", both, 0, 25, 0, 0},
	{"bulkhead", "do", "channel", both, 0, 25, 0, 0},
	{"bulkhead", "do-aimd", "semaphore", both, 0, 0, 0, 0},
	{"bulkhead", "do-aimd", "channel", both, 0, 0, 0, 0},
	{"bulkhead", "do-gradient", "semaphore", both, 0, 0, 0, 0},
	{"bulkhead", "do-gradient", "channel", both, 0, 0, 0, 0},
	{"bulkhead", "do-queue", "semaphore", both, 0, 0, 0, 0},
	{"bulkhead", "do-queue", "channel", both, 0, 0, 0, 0},

	{"batch", "many", "dataloader", both, 0, 0, 0, anyAllocs},
	{"batch", "many", "map", both, 0, 0, 0, anyAllocs},
	{"batch", "lone", "dataloader", both, 0, 0, 0, anyAllocs},

	{"balance", "pick", "roundrobin", both, 0, 60, 0, 0},
	{"balance", "pick-timed", "roundrobin", both, 0, 0, 0, 0},
	{"balance", "key", "roundrobin", both, 0, 0, 0, 0},

	// Limiter, retry, bulkhead and breaker around one call, against a retry and a breaker.
	{"compose", "four", "avast+gobreaker", both, 1.0, 0, 0, 0},

	// The counters of a hot path cost at most ten nanoseconds.
	{"telemetry", "cache", "nocounters", both, 0, 0, 10, 0},
	{"telemetry", "ratelimit", "nocounters", both, 0, 0, 10, 0},
	{"telemetry", "ratelimit-keyed", "nocounters", both, 0, 0, 10, 0},
	{"telemetry", "retry", "nocounters", both, 0, 0, 10, 0},
	{"telemetry", "breaker", "nocounters", both, 0, 0, 10, 0},
	{"telemetry", "pool", "nocounters", both, 0, 0, 10, 0},
	{"telemetry", "flight", "nocounters", both, 0, 0, 10, anyAllocs},
	{"telemetry", "bulkhead", "nocounters", both, 0, 0, 10, 0},
	{"telemetry", "balance", "nocounters", both, 0, 0, 10, 0},
}

// String returns the goal as it stands in a line: what is asked, joined by commas, or "none".
func (g goal) String() string {
	var asked []string
	if g.ratio > 0 {
		asked = append(asked, strconv.FormatFloat(g.ratio, 'f', 2, 64))
	}
	if g.ns > 0 {
		asked = append(asked, number(g.ns)+"ns")
	}
	if g.above > 0 {
		asked = append(asked, "+"+number(g.above)+"ns")
	}
	if g.allocs != anyAllocs {
		asked = append(asked, number(g.allocs)+"allocs")
	}
	if len(asked) == 0 {
		return "none"
	}
	return strings.Join(asked, ",")
}

// met reports whether the figures keep the goal. With onlyAllocs, times are not judged. Times are judged as they are
// printed: to the digits that a reader sees.
func (g goal) met(ours, peer figure, onlyAllocs bool) bool {
	if g.allocs != anyAllocs && ours.Allocs > g.allocs {
		return false
	}
	if onlyAllocs {
		return true
	}
	return (g.ratio <= 0 || rounded(ours.NS/peer.NS, 2) <= g.ratio) &&
		(g.ns <= 0 || rounded(ours.NS, 1) <= g.ns) &&
		(g.above <= 0 || rounded(ours.NS-peer.NS, 1) <= g.above)
}

// goalOf returns the goal of a row and whether there is one.
func goalOf(blockName, caseName, peer string, m mode) (goal, bool) {
	for _, g := range goals {
		if g.block == blockName && g.name == caseName && g.peer == peer && slices.Contains(g.modes, m) {
			return g, true
		}
	}
	return goal{}, false
}
