// Package attempt carries the number of the current attempt of a call in its context, so that a block inside a retry
// can tell first attempts from repeated ones without knowing who repeats them.
package attempt

import "context"

type key struct{}

// With returns ctx marked as attempt n of a call. Callers mark attempts 2 and later only: a context without a mark is
// a first attempt, so that the common case costs nothing.
func With(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, key{}, n)
}

// From returns the number of the attempt that ctx belongs to, 1 when it has no mark.
func From(ctx context.Context) int {
	if n, ok := ctx.Value(key{}).(int); ok && n > 1 {
		return n
	}
	return 1
}
