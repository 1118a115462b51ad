package ratelimit

import (
	"context"
	"errors"
	"time"
)

// ErrNegative is returned for a negative number of tokens.
var ErrNegative = errors.New("joist/ratelimit: the number of tokens is negative")

// ErrHorizon is returned by Charge and Reserve when a bucket would be in debt for years: past the 18 to 292 years, by its
// rate, for which it can count. Nothing was taken then.
var ErrHorizon = errors.New("joist/ratelimit: the debt is longer than a bucket can count")

// Result is the answer to a take: what was decided, and how the bucket of the limit that decided stands afterwards. With
// several limits, that is the one that denies the longest, or, of a take that was allowed, the one with the fewest tokens
// left. Of several of those it is the one that takes the longest to have more, and of such the first. A shadow does not
// decide, unless there is no other limit.
type Result struct {
	// Allowed tells whether the tokens were taken. Nothing was taken otherwise.
	Allowed bool

	// Never tells that more tokens were asked for than the bucket can hold, so that waiting is no use.
	Never bool

	// Remaining is how many tokens are in the bucket, after the take when it was allowed and as they are when it was
	// denied. math.MaxInt64 without a limit.
	Remaining int64

	// RetryAfter is how long to wait until a take of this many tokens fits, if nobody else takes any: rounded up to the
	// nanosecond. 0 when the take was allowed, and when it is Never.
	RetryAfter time.Duration

	// ResetAfter is how long it takes until the bucket is full, if nobody takes from it: rounded up to the nanosecond.
	ResetAfter time.Duration

	// Limit is the limit that decided, with its defaults filled in.
	Limit Limit

	// Degraded tells that the answer is not that of the shared bucket, because its store could not be asked. It is never
	// set by the types of this package.
	Degraded bool
}

// Taker takes tokens from the bucket of a key, wherever the buckets are. It is what middleware asks. [TakerOf] makes one
// of a [Keyed], [Limiter.Taker] of a [Limiter], and [Chain] of others. The suite in package limittest holds what is
// expected of one.
//
// Take takes n tokens from the bucket of key, or none: a denial is a Result, not an error. n = 0 takes nothing and tells
// how the bucket stands. The errors are [ErrNegative], ctx.Err() when ctx has ended, and what a bucket's store fails
// with; nothing is known about the tokens then. Implementations are safe for concurrent use.
type Taker interface {
	Take(ctx context.Context, key string, n int64) (Result, error)
}

// TakerOf returns keyed as a [Taker], which asks ctx before each take. It panics if keyed is nil.
func TakerOf(keyed *Keyed[string]) Refunder {
	if keyed == nil {
		panic("joist/ratelimit: TakerOf of a nil Keyed")
	}
	return taker{keyed}
}

type taker struct{ keyed *Keyed[string] }

func (t taker) Take(ctx context.Context, key string, n int64) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	return t.keyed.Take(key, n)
}

func (t taker) Refund(_ context.Context, key string, n int64) error { return t.keyed.Refund(key, n) }
func (t taker) Charge(_ context.Context, key string, n int64) error { return t.keyed.Charge(key, n) }

func (t taker) SetLimits(_ context.Context, key string, limits []Limit) error {
	return t.keyed.SetLimits(key, limits)
}
