package breaker

import (
	"iter"
	"sync/atomic"

	"github.com/joist-go/joist/internal/telemetry"
)

const (
	logStripes  = 4 // more would make it long to sum a window
	stripes     = 1 << logStripes
	stripeWords = 16 // from a word of a stripe to that of the next: two cache lines
)

// striped is up to stripeWords words for each stripe, so that goroutines that run at the same time do not fight over them.
// It begins with a cache line.
type striped [stripes * stripeWords]atomic.Uint64

// word returns word i of the stripe of this goroutine.
func (s *striped) word(i uint64) *atomic.Uint64 {
	return &s[uint64(telemetry.Stripe(logStripes))*stripeWords+i%stripeWords]
}

// eachStripe goes through word i of each stripe.
func eachStripe(words []atomic.Uint64, i uint64) iter.Seq[*atomic.Uint64] {
	return func(yield func(*atomic.Uint64) bool) {
		for ; i < uint64(len(words)) && yield(&words[i]); i += stripeWords {
		}
	}
}
