package retryhttp

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// StatusError is an answer that is to be retried, as the policy sees it. Options.Retryable and OnRetry get it, and an
// [retry.Error] that ends an exchange whose context is over has it as Last. In any other case the caller gets the answer
// itself.
type StatusError struct {
	StatusCode int           // of the answer
	Wait       time.Duration // what Retry-After asks for, 0 if nothing
}

// Error returns the status.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("joist/retryhttp: answered %d %s", e.StatusCode, http.StatusText(e.StatusCode))
	return strings.TrimSuffix(text, " ") // not every number has a text
}

// RetryAfter returns the least time to wait before another attempt, 0 if the server did not say.
func (e *StatusError) RetryAfter() time.Duration { return e.Wait }

// retryAfter reads the field Retry-After (RFC 9110, section 10.2.3), a number of seconds or a date in any of HTTP's three
// forms: 0 if there is none, it cannot be read, or it lies in the past.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if value == "" {
		return 0
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0)
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0
		}
	}
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err != nil || seconds > uint64(math.MaxInt64/time.Second) {
		return math.MaxInt64 // more digits than a duration has room for
	}
	return time.Duration(seconds) * time.Second
}
