package bulkheadhttp

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter

	status int // 0 before the header is written
}

// code returns the status that the client gets, or has got.
func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// WriteHeader implements http.ResponseWriter. The status that counts is the first that is not informational.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	r.written()
	return r.ResponseWriter.Write(b)
}

func (r *recorder) written() {
	if r.status == 0 {
		r.status = http.StatusOK
	}
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Flush implements http.Flusher. It does nothing if the server cannot flush.
func (r *recorder) Flush() {
	_ = r.FlushError() // an http.Flusher cannot tell
}

// FlushError is for http.ResponseController. Its error is http.ErrNotSupported if the server cannot flush.
func (r *recorder) FlushError() error {
	r.written()
	return http.NewResponseController(r.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker. Its error is http.ErrNotSupported if the connection cannot be had.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil && r.status == 0 {
		r.status = http.StatusSwitchingProtocols
	}
	return conn, buffered, err
}

// ReadFrom implements io.ReaderFrom, so that files are sent as without the middleware.
func (r *recorder) ReadFrom(from io.Reader) (int64, error) {
	r.written()
	return io.Copy(r.ResponseWriter, from)
}
