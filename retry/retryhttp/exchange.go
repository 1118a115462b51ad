package retryhttp

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/joist-go/joist/internal/validhttp"
	"github.com/joist-go/joist/retry"
)

// exchange is one request and its attempts. It belongs to the goroutine that called RoundTrip.
type exchange struct {
	t          *Transport
	req        *http.Request
	replayable bool // the body can be had again
	repeatable bool // and to send the request twice does no harm
	most       int  // attempts, 0 for any number
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

	out, err := x.outgoing(ctx)
	if err == nil {
		x.resp, err = x.send(out)
	}
	if err != nil {
		x.err = err
		mayRetry := x.repeatable && !hopeless(err) || x.replayable && unprocessed(err)
		return x.verdict(err, mayRetry && !validhttp.Unsendable(x.req, err))
	}
	if x.t.retried(x.resp.StatusCode) {
		wait := retryAfter(x.resp.Header, time.Now())
		return x.verdict(&StatusError{StatusCode: x.resp.StatusCode, Wait: wait}, x.repeatable)
	}
	return nil
}

// outgoing returns what this attempt sends, from the second on with a body of its own.
func (x *exchange) outgoing(ctx context.Context) (outgoing, error) {
	out := outgoing{ctx: ctx, told: ctx, changed: x.attempts > 1, body: x.req.Body}
	if x.attempts == 1 || x.req.Body == nil || x.req.Body == http.NoBody {
		return out, nil
	}
	body, err := x.req.GetBody()
	if err != nil {
		return out, retry.Permanent(fmt.Errorf("joist/retryhttp: the body for attempt %d: %w", x.attempts, err))
	}
	out.body = body
	return out, nil
}

// verdict returns err for the policy, marked as permanent unless it may be retried.
func (x *exchange) verdict(err error, mayRetry bool) error {
	if mayRetry {
		return err
	}
	x.final = retry.Permanent(err)
	return x.final
}

// isLast tells that no attempt can follow an answer, whatever the policy thinks: then it is the caller's as it is.
func (x *exchange) isLast() bool {
	return !x.repeatable || x.most > 0 && x.attempts >= x.most
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
