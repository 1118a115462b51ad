package retry

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Jitter is how a [Backoff] spreads its waits, so that callers who failed together do not come back together.
type Jitter uint8

// The jitters of [Backoff.WithJitter]. Their names and rules are those of Brooker, "Exponential Backoff And Jitter", AWS
// Architecture Blog, 2015.
const (
	// Full, the default, chooses evenly between 0 and the wait. It spreads the most, and costs a dependency that many
	// callers contend for the fewest calls.
	Full Jitter = iota

	// Equal chooses evenly between half the wait and the wait, for callers that must not come back at once.
	Equal

	// None waits exactly. It is for a caller that is alone, and for tests: many callers that fail together come back
	// together, each time.
	None
)

// String returns the jitter's name.
func (j Jitter) String() string {
	switch j {
	case Full:
		return "Full"
	case Equal:
		return "Equal"
	case None:
		return "None"
	}
	return fmt.Sprintf("Jitter(%d)", uint8(j))
}

// spread returns a wait with jitter of at most limit. What is none of the jitters counts as Full.
func (j Jitter) spread(limit time.Duration) time.Duration {
	switch j {
	case Equal:
		return between(limit/2, limit)
	case None:
		return limit
	default:
		return between(0, limit)
	}
}

// between chooses evenly from low to high, both included and neither negative.
func between(low, high time.Duration) time.Duration {
	return low + time.Duration(rand.Uint64N(uint64(high-low)+1))
}
