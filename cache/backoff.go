package cache

import (
	"math/rand/v2"
	"time"

	"github.com/joist-go/joist/internal/refusal"
)

// backoffDoublings is how often the wait doubles before it is as long as it gets.
const backoffDoublings = 4

// backoff says how long a key whose load failed is left alone. A negative longest switches it off.
type backoff struct{ longest time.Duration }

func (b backoff) off() bool { return b.longest < 0 }

// wait returns the wait after so many failures in a row, the last of which was err: exponential, with equal jitter, and
// never longer than b.longest. The bound is on the wait itself, so that a source that works again is noticed in time
// however long it was away. A hint in err can lengthen the wait; it is spread a little, because many keys fail with the
// same hint, such as the moment at which a breaker tries again.
func (b backoff) wait(failures int, err error) time.Duration {
	step := b.longest >> max(backoffDoublings-max(failures-1, 0), 0)
	d := step/2 + rand.N(step/2+1)
	if hint, ok := refusal.RetryAfter(err); ok && hint >= d {
		d = min(hint, b.longest) + rand.N(b.longest>>backoffDoublings+1)
	}
	return min(d, b.longest)
}
