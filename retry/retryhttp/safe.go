package retryhttp

import (
	"crypto/tls"
	"errors"
	"net/http"

	"github.com/joist-go/joist/internal/refusal"
)

// replayable tells whether the body of req can be had again, if it has one.
func replayable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// idempotent tells whether req does the same when it is done twice: by its method (RFC 9110, section 9.2.2), or because
// the server has a key to recognize it by. An entry without any value is what a caller of net/http says it with, without
// sending a field.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	for _, field := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, there := req.Header[field]; there && (len(values) == 0 || values[0] != "") {
			return true
		}
	}
	return false
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

// streamError has the fields of net/http's error for an HTTP/2 stream that was reset, whose method As fills in any such
// struct.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

// Error is never called. It makes a streamError a target of errors.As for go vet.
func (streamError) Error() string { return "stream error" }

// refusedStream is the code with which a server resets a stream that it has not begun to process (RFC 9113, section 7).
const refusedStream = 0x7

// unprocessed tells of errors which say that the server has done nothing with the request, so that any may be sent again:
// a block inside has refused to send it, or the server has refused its stream (RFC 9113, section 8.7).
//
// A refused stream counts only if err is nothing but that. Inside another error it may be what the last of several
// attempts met, of which an earlier one was processed. Blocks answer for that themselves.
func unprocessed(err error) bool {
	if refusal.Refused(err) {
		return true
	}
	reset, ok := err.(interface{ As(target any) bool }) //nolint:errorlint // the error itself, as the base gave it
	var stream streamError
	return ok && reset.As(&stream) && stream.Code == refusedStream
}
