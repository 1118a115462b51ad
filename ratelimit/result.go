package ratelimit

import (
	"context"
	"errors"
	"time"
)

// ErrNegative is returned by Take for a negative number of tokens.
var ErrNegative = errors.New("joist/ratelimit: the number of tokens is negative")

// Result is the answer to a take: what was decided, and how the bucket stands afterwards.
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
}

// Taker takes tokens from the bucket of a key, wherever the buckets are. It is what middleware asks. [TakerOf] makes one
// of a [Keyed].
//
// Take takes n tokens from the bucket of key, or none: a denial is a Result, not an error. n = 0 takes nothing and tells
// how the bucket stands. The errors are [ErrNegative], ctx.Err() when ctx has ended, and what a bucket's store fails
// with; nothing is known about the tokens then. Implementations are safe for concurrent use.
type Taker interface {
	Take(ctx context.Context, key string, n int64) (Result, error)
}

// TakerOf returns keyed as a [Taker], which asks ctx before each take. It panics if keyed is nil.
func TakerOf(keyed *Keyed[string]) Taker {
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
