package ratelimithttp

import (
	"encoding/json"
	"net/http"
)

// problem is a problem details object (RFC 9457).
type problem struct {
	Type     string   `json:"type,omitempty"`
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Detail   string   `json:"detail,omitempty"`
	Policies []string `json:"violated-policies,omitempty"`
}

// quotaExceeded returns the problem of a refusal by the limit of that name, or of none.
func quotaExceeded(limit string) []byte {
	p := problem{
		Type:   "https://iana.org/assignments/http-problem-types#quota-exceeded",
		Title:  "Request cannot be satisfied as assigned quota has been exceeded",
		Status: http.StatusTooManyRequests,
	}
	if limit != "" {
		p.Policies = []string{limit}
	}
	return encode(p)
}

// unavailable is the problem of a request whose bucket could not be asked. It does not tell why.
var unavailable = encode(problem{
	Title:  http.StatusText(http.StatusServiceUnavailable),
	Status: http.StatusServiceUnavailable,
	Detail: "The rate limit of this request could not be checked.",
})

func encode(p problem) []byte {
	body, err := json.Marshal(p)
	if err != nil {
		panic("joist/ratelimithttp: " + err.Error()) // strings and a number always encode
	}
	return append(body, '\n')
}

// writeProblem writes an answer. An error of the write means that the client has gone.
func writeProblem(w http.ResponseWriter, v *values, status int, body []byte) {
	v.set(w.Header(), "Content-Type", contentTypeValue, "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
