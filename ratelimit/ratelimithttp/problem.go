package ratelimithttp

import (
	"net/http"

	"github.com/joist-go/joist/internal/problemhttp"
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

// unavailable is the problem of a request whose bucket could not be asked. It does not tell why.
var unavailable = problemhttp.Of(http.StatusServiceUnavailable, "The rate limit of this request could not be checked.")

// writeProblem writes an answer.
func writeProblem(w http.ResponseWriter, v *values, status int, body []byte) {
	problemhttp.Write(w, v[contentTypeValue:contentTypeValue+1], status, body)
}
