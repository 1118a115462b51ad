// Package problemhttp writes the answers of middleware that does not let a request through: problem details, RFC 9457.
package problemhttp

import (
	"encoding/json"
	"net/http"
	"time"
)

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// Problem is a problem details object.
type Problem struct {
	Type     string   `json:"type,omitempty"`
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Detail   string   `json:"detail,omitempty"`
	Policies []string `json:"violated-policies,omitempty"` // of draft-ietf-httpapi-ratelimit-headers
}

// Of returns the body of a problem of no type of its own, titled as its status.
func Of(status int, detail string) []byte {
	return Problem{Title: http.StatusText(status), Status: status, Detail: detail}.Encode()
}

// Encode returns the problem as a body.
func (p Problem) Encode() []byte {
	body, err := json.Marshal(p)
	if err != nil {
		panic("joist/problemhttp: " + err.Error()) // strings and a number always encode
	}
	return append(body, '\n')
}

// ofTheContent are the fields that a handler outside may have set for the answer that does not come: they would have the
// problem cached, or read as what it is not.
var ofTheContent = [...]string{"Cache-Control", "Content-Encoding", "Content-Length", "Etag", "Last-Modified"}

// Write writes an answer. The field's value is kept in place, which has length 1 and is the caller's to allocate with
// others. Fields that describe another content or let it be cached are removed. An error of the write means that the
// client has gone.
func Write(w http.ResponseWriter, place []string, status int, body []byte) {
	h := w.Header()
	for _, field := range ofTheContent {
		delete(h, field)
	}
	place[0] = ContentType
	h["Content-Type"] = place[:1:1] // whoever appends to it gets a copy
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Seconds returns d in seconds, rounded up, as Retry-After tells it.
func Seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}
