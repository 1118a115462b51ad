package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/joist-go/joist/internal/telemetry"
)

// ErrLimited is what every [LimitedError] is, for [errors.Is].
var ErrLimited = errors.New("joist/ratelimit: limited")

// LimitedError is returned by Do, Wait, Reserve and their kin when the tokens of a call do not fit: the call was not made.
type LimitedError struct {
	// Name is the name of the block that refused.
	Name string

	// Result tells the limit that decided, and when the call will fit.
	Result Result

	cause error // of a wait that does not fit: context.DeadlineExceeded
}

// Error names the block, the limit, and when to try again.
func (e *LimitedError) Error() string {
	if e.Result.Never {
		return fmt.Sprintf("joist/ratelimit: %q is limited (%v): the call will never fit", e.Name, e.Result.Limit)
	}
	text := fmt.Sprintf("joist/ratelimit: %q is limited (%v): retry after %v", e.Name, e.Result.Limit, e.Result.RetryAfter)
	if e.cause != nil {
		text += "; not before the deadline"
	}
	return text
}

// Unwrap returns [context.DeadlineExceeded] when the call could have waited, but not until the deadline of its context, and
// nil otherwise.
func (e *LimitedError) Unwrap() error { return e.cause }

// Is tells that e is [ErrLimited].
func (e *LimitedError) Is(target error) bool { return target == ErrLimited }

// Refused tells that the call was never made. It is always true.
func (e *LimitedError) Refused() bool { return true }

// RetryAfter returns how long to wait before the call fits, if nobody takes anything meanwhile but those who wait in the
// queue now. It is 0 when the call never fits.
func (e *LimitedError) RetryAfter() time.Duration { return e.Result.RetryAfter }

// refuse returns the error for a denied call, and leaves an event on the caller's span.
func refuse(ctx context.Context, name string, r Result, cause error) error {
	telemetry.Event(ctx, "joist.ratelimit.limited", name, limitKey.String(r.Limit.Name),
		attribute.Int64("joist.ratelimit.retry_after_ms", r.RetryAfter.Milliseconds()))
	return &LimitedError{Name: name, Result: r, cause: cause}
}
