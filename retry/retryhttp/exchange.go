package retryhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/joist-go/joist/retry"
)

// exchange is one request and its attempts. It belongs to the goroutine that called RoundTrip.
type exchange struct {
	t          *Transport
	req        *http.Request
	repeatable bool
	attempts   int
	resp       *http.Response // the last attempt's answer, its body open
	err        error          // the last attempt's error, as the base gave it
	final      error          // what the policy got instead of a failure that must not be retried
}

// attempt sends the request once. To the policy, an answer that is to be retried is an error.
func (x *exchange) attempt(ctx context.Context) error {
	x.attempts++
	x.discard()
	x.err, x.final = nil, nil

	req, err := x.request(ctx)
	if err == nil {
		x.resp, err = x.send(req)
	}
	if err != nil {
		x.err = err
		return x.verdict(err, x.repeatable && !hopeless(err))
	}
	if x.t.retried(x.resp.StatusCode) {
		wait := retryAfter(x.resp.Header, time.Now())
		return x.verdict(&StatusError{StatusCode: x.resp.StatusCode, Wait: wait}, x.repeatable)
	}
	return nil
}

// verdict returns err for the policy, marked as permanent unless it may be retried.
func (x *exchange) verdict(err error, mayRetry bool) error {
	if mayRetry {
		return err
	}
	x.final = retry.Permanent(err)
	return x.final
}

// request returns what the base is to send: a shallow copy with the attempt's context, and from the second on with a
// body of its own. The caller's request is left as it is.
func (x *exchange) request(ctx context.Context) (*http.Request, error) {
	req := x.req.WithContext(ctx)
	if x.attempts == 1 || req.Body == nil || req.Body == http.NoBody {
		return req, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, retry.Permanent(fmt.Errorf("joist/retryhttp: the body for attempt %d: %w", x.attempts, err))
	}
	req.Body = body
	return req, nil
}

// isLast tells that no attempt can follow, whatever the policy thinks: then the answer is the caller's as it is.
func (x *exchange) isLast() bool {
	return !x.repeatable || x.t.maxAttempts > 0 && x.attempts >= x.t.maxAttempts
}

// discard closes an answer that nobody will read.
func (x *exchange) discard() {
	if x.resp != nil {
		_ = x.resp.Body.Close()
		x.resp = nil
	}
}

// result turns the policy's verdict back into what a RoundTripper returns.
func (x *exchange) result(err error) (*http.Response, error) {
	if x.attempts == 0 && x.req.Body != nil {
		_ = x.req.Body.Close() // no base has seen the request, so closing falls to us
	}
	if err == nil {
		return x.resp, nil
	}
	asGiven := x.final != nil && err == x.final //nolint:errorlint // the very value that attempt returned
	if x.resp != nil && (asGiven || x.req.Context().Err() == nil) {
		return x.resp, nil
	}
	x.discard()
	if asGiven {
		return nil, x.err
	}
	return nil, err
}

// retried tells whether an answer with this status is one to retry.
func (t *Transport) retried(status int) bool {
	return status >= 0 && status < len(t.statuses) && t.statuses[status]
}

// hopeless tells of transport errors that the next attempt would meet again: the server is not who it should be, or
// does not speak TLS.
func hopeless(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}
