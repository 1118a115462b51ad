package retryhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// limited makes one attempt within AttemptTimeout.
//
// The attempt's context must outlive this function, because the body of the answer ends with it. So it is cancelled by
// a timer, which is stopped once the attempt is over, and otherwise when the body is closed. It tells no deadline: a base
// that derives a context with a longer one from it would get no timer for that, and the body no limit.
func (x *exchange) limited(out outgoing) (*http.Response, error) {
	if x.t.timeout == 0 {
		resp, err := x.roundTrip(out)
		if err != nil {
			return nil, err
		}
		return x.answer(resp, nil), nil
	}
	ctx, cancel := context.WithCancelCause(out.ctx)
	timer := time.AfterFunc(x.t.timeout, func() { cancel(context.DeadlineExceeded) })
	handedOver := false
	defer func() { // also when the base panics
		timer.Stop()
		if !handedOver {
			cancel(nil)
		}
	}()

	out.ctx, out.changed, out.limit = ctx, true, x.t.timeout
	resp, err := x.roundTrip(out)
	if err != nil {
		return nil, x.timedOut(ctx, err)
	}
	// One that may be followed by another attempt is read first, within the time-out, and stands however that ends.
	if !x.keeps(resp) && !timer.Stop() {
		if resp.Body != nil {
			_ = resp.Body.Close()
		}
		return nil, x.tooLate()
	}
	resp = x.answer(resp, cancel)
	handedOver = true
	return resp, nil
}

// roundTrip asks the base, and makes one outcome of the two that a base may wrongly give.
func (x *exchange) roundTrip(out outgoing) (*http.Response, error) {
	resp, err := x.t.base.RoundTrip(x.request(out))
	switch {
	case err != nil && resp != nil && resp.Body != nil:
		_ = resp.Body.Close()
	case err == nil && resp == nil:
		err = errors.New("joist/retryhttp: the base returned neither an answer nor an error")
	}
	return resp, err
}

// timedOut returns err, or in its place that the attempt took too long, if that is what err comes from. The base may
// report the cancelled context as such, which would look as if the caller had left.
func (x *exchange) timedOut(ctx context.Context, err error) error {
	byTimer := context.Cause(ctx) == context.DeadlineExceeded && x.req.Context().Err() == nil //nolint:errorlint // the timer's own value
	if byTimer && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return timeoutError(x.t.timeout)
	}
	return err
}

// tooLate is what an answer comes to whose time was up. The timer has fired, but may not have ended the context yet.
func (x *exchange) tooLate() error {
	if err := x.req.Context().Err(); err != nil {
		return err // the caller's own end comes first
	}
	return timeoutError(x.t.timeout)
}

// timeoutError is the failure of an attempt that had no answer within its AttemptTimeout.
type timeoutError time.Duration

func (e timeoutError) Error() string {
	return fmt.Sprintf("joist/retryhttp: no answer within %v: %v", time.Duration(e), context.DeadlineExceeded)
}

func (e timeoutError) Unwrap() error { return context.DeadlineExceeded }

// Timeout is what the url.Error of an http.Client asks.
func (e timeoutError) Timeout() bool { return true }
