package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/cache"
	"github.com/joist-go/joist/pool/bulkhead"
)

const problemType = "application/problem+json"

// problem is an answer of application/problem+json, RFC 9457.
type problem struct {
	Type   string `json:"type,omitempty"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`

	block, cause string        // for the log
	after        time.Duration // for Retry-After
}

func writeProblem(w http.ResponseWriter, p problem) {
	p.Title = http.StatusText(p.Status)
	w.Header().Set("Content-Type", problemType)
	w.Header().Set("Cache-Control", "no-store")
	if p.after > 0 {
		seconds := max(1, int64((p.after+time.Second-1)/time.Second))
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	writeBody(w, p.Status, p)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	writeBody(w, status, body)
}

func writeBody(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went away is no failure of ours
}

// fail answers an error of the cache, and logs it once in a while: the block and the cause, never the key or the
// error's text.
func (svc *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		// The client has left, or has only closed its side of the connection and would take silence for a success.
		writeProblem(w, problem{Status: http.StatusServiceUnavailable, Detail: "The client closed the connection."})
		return
	}
	p := svc.problemOf(err)
	if p.Status >= 500 && svc.logs.Allow(p.cause) {
		slog.WarnContext(r.Context(), "users: request failed",
			"route", r.Pattern, "status", p.Status, "block", p.block, "cause", p.cause)
	}
	writeProblem(w, p)
}

// problemOf says what an error means to a client. Refusals come first: some are deadlines too.
func (svc *service) problemOf(err error) problem {
	var (
		open   *breaker.OpenError
		full   *bulkhead.FullError
		status *statusError
		bad    *badAnswerError
	)
	unavailable := problem{Status: http.StatusServiceUnavailable, Detail: "The upstream cannot be asked now.", after: svc.hint(err)}
	switch {
	case errors.Is(err, cache.ErrNotFound):
		return problem{Status: http.StatusNotFound, Detail: "There is no such user."}
	case errors.As(err, &open):
		unavailable.block, unavailable.cause = "breaker", "open"
	case errors.As(err, &full):
		unavailable.block, unavailable.cause = "bulkhead", "full"
	case errors.As(err, &bad):
		return problem{Status: http.StatusBadGateway, Detail: "The upstream's answer cannot be used.", block: "upstream", cause: "bad answer"}
	case errors.As(err, &status) && status.status != http.StatusServiceUnavailable && status.status != http.StatusTooManyRequests:
		return problem{Status: http.StatusBadGateway, Detail: "The upstream failed.", block: "upstream", cause: "status"}
	case errors.As(err, &status):
		unavailable.block, unavailable.cause = "upstream", "overloaded"
	case errors.Is(err, context.DeadlineExceeded):
		return problem{Status: http.StatusGatewayTimeout, Detail: "The upstream did not answer in time.", block: "upstream", cause: "timeout", after: svc.hint(err)}
	default:
		unavailable.block, unavailable.cause = "upstream", "unreachable"
	}
	return unavailable
}

// hint returns when it is worth asking again: what the outermost block says that knows, else the time for which a
// breaker opens.
func (svc *service) hint(err error) time.Duration {
	hinted, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err)
	if ok && hinted.RetryAfter() > 0 {
		return hinted.RetryAfter()
	}
	return svc.openFor
}
