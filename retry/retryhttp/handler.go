package retryhttp

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/joist-go/joist/internal/attempt"
)

// The bounds of what [Handler] believes.
const (
	// MaxAttempt is the greatest attempt number that it puts into a context. A greater one becomes this.
	MaxAttempt = 1000
	// MaxTimeout is the longest timeout that becomes a deadline. A longer one is as none.
	MaxTimeout = 24 * time.Hour
)

// errCallerGone is the cause with which the context of a request ends whose caller waits no longer.
var errCallerGone = fmt.Errorf("joist/retryhttp: the caller's %s has passed: %w", TimeoutHeader, context.DeadlineExceeded)

// Handler returns a handler that puts what a [Transport] has sent along into the request's context, and calls next: the
// number of the attempt, for [retry.Attempt] and the blocks inside, and the time for which the caller will wait, as a
// deadline.
//
// WARNING: use it only where all clients are services of your own. Anybody can send these fields. A client that says its
// request is a first attempt gets what first attempts get, and one that sends a short timeout has work begun that is
// cut off. At the edge of your network either do without Handler, or delete both fields before it. It gives no client
// more time than it would have had: a deadline that the context has already stays if it is earlier.
//
// Joist-Attempt is a decimal number of 2 or more; what is above MaxAttempt becomes MaxAttempt. Joist-Timeout is a decimal
// number of milliseconds; 0 is a context that is over when next is called, and more than MaxTimeout is no deadline. A
// field that is anything else, or is there twice, is ignored. When the timeout has passed, the cause of the context is an
// error that is context.DeadlineExceeded.
//
// The fields stay in the header. A proxy that sends the header on should delete both, so that a Transport there sends
// the time that is left now: what the caller of a Transport has set, it leaves as it is.
//
// Handler panics if next is nil. What it returns is safe for concurrent use. A request without the fields costs two
// lookups in its header and no allocation.
func Handler(next http.Handler) http.Handler {
	if next == nil {
		panic("joist/retryhttp: Handler needs a handler, but next is nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number, again := parseAttempt(r.Header[AttemptHeader])
		left, limited := parseTimeout(r.Header[TimeoutHeader])
		if !again && !limited {
			next.ServeHTTP(w, r)
			return
		}
		ctx := r.Context()
		if again {
			ctx = attempt.With(ctx, number)
		}
		if limited {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, left, errCallerGone)
			defer cancel()
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// parseAttempt reads the values of Joist-Attempt. It reports false unless they tell of a second or later attempt.
func parseAttempt(values []string) (number int, ok bool) {
	n, ok := parseNumber(values, MaxAttempt)
	return int(n), ok && n > 1
}

// parseTimeout reads the values of Joist-Timeout. It reports false unless they tell of a time within MaxTimeout.
func parseTimeout(values []string) (left time.Duration, ok bool) {
	const most = int64(MaxTimeout / time.Millisecond)
	ms, ok := parseNumber(values, most+1)
	return time.Duration(ms) * time.Millisecond, ok && ms <= most
}

// parseNumber reads a field that is there once and is a number without sign, at most limit of it.
func parseNumber(values []string, limit int64) (n int64, ok bool) {
	if len(values) != 1 || values[0] == "" {
		return 0, false
	}
	for _, c := range []byte(values[0]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), limit)
	}
	return n, true
}
