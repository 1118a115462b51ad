package ratelimithttp

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/joist-go/joist/internal/problemhttp"
	"github.com/joist-go/joist/internal/refusal"
	"github.com/joist-go/joist/internal/telemetry"
	"github.com/joist-go/joist/ratelimit"
)

// The problems of requests whose bucket could not be asked. They do not tell why.
var (
	unavailable = problemhttp.Of(http.StatusServiceUnavailable, "The rate limit of this request could not be checked.")
	late        = problemhttp.Of(http.StatusGatewayTimeout, "The request's deadline had passed before its rate limit was checked.")
)

// quotaExceeded returns the problem of a refusal by the limit of that name, or of none.
func quotaExceeded(limit string) []byte {
	p := problemhttp.Problem{
		Type:   "https://iana.org/assignments/http-problem-types#quota-exceeded",
		Title:  "Request cannot be satisfied as assigned quota has been exceeded",
		Status: http.StatusTooManyRequests,
	}
	if limit != "" {
		p.Policies = []string{limit}
	}
	return p.Encode()
}

// refuse answers a request that a limit has denied.
func (h *limited) refuse(w http.ResponseWriter, r *http.Request, p *policy, res ratelimit.Result) {
	v := new(values)
	if !res.Never {
		wait := settled(w.Header(), max(problemhttp.Seconds(res.RetryAfter), 1))
		v.set(w.Header(), "Retry-After", retryAfterValue, strconv.FormatInt(wait, 10))
	}
	h.tell(w.Header(), v, p, res)
	telemetry.Event(r.Context(), "joist.ratelimit.limited", h.name, attribute.String("joist.ratelimit.limit", res.Limit.Name))
	body := p.problem
	if body == nil {
		body = quotaExceeded(res.Limit.Name)
	}
	writeProblem(w, v, http.StatusTooManyRequests, body)
}

// settled has what limits around this one have told agree with a refusal, as no t may be after Retry-After. It returns
// the seconds to wait, raised to when all limits that have nothing left have something again. A limit that has something
// left holds nobody up: if its t is later than that, its line is removed. So is a line that cannot be parsed, for whose
// sake clients would have to ignore the others.
func settled(h http.Header, wait int64) int64 {
	lines := h[limitField]
	if len(lines) == 0 {
		return wait
	}
	latest := make([]int64, len(lines))
	for i, line := range lines {
		limits, err := parseLimits([]string{line})
		if err != nil || len(limits) == 0 {
			latest[i] = math.MaxInt64
		}
		for _, l := range limits {
			t := problemhttp.Seconds(l.Reset)
			latest[i] = max(latest[i], t)
			if l.Remaining == 0 {
				wait = max(wait, t)
			}
		}
	}
	kept := make([]string, 0, len(lines)+1)
	for i, line := range lines {
		if latest[i] <= wait {
			kept = append(kept, line)
		}
	}
	h[limitField] = kept
	return wait
}

// fail answers a request whose bucket could not be asked.
func (h *limited) fail(w http.ResponseWriter, r *http.Request, err error) {
	ended := r.Context().Err()
	v := new(values)
	switch {
	case ended == nil || !errors.Is(err, ended):
		h.log.Warn(context.WithoutCancel(r.Context()), "take failed", err)
		if after, ok := refusal.RetryAfter(err); ok {
			v.set(w.Header(), "Retry-After", retryAfterValue, strconv.FormatInt(settled(w.Header(), problemhttp.Seconds(after)), 10))
		}
	case errors.Is(ended, context.DeadlineExceeded):
		writeProblem(w, v, http.StatusGatewayTimeout, late)
		return
	}
	writeProblem(w, v, http.StatusServiceUnavailable, unavailable)
}

// writeProblem writes an answer.
func writeProblem(w http.ResponseWriter, v *values, status int, body []byte) {
	problemhttp.Write(w, v[contentTypeValue:contentTypeValue+1], status, body)
}
