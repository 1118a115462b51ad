package retryhttp

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// drainLimit is how much of an answer that is to be retried is read so that its connection can be used again. More is
// not worth a connection.
const drainLimit = 64 << 10

// answer makes the base's answer ready for the caller, or for the policy to decide about.
//
// An answer that is to be retried is read into memory first, up to drainLimit. That frees its connection before the
// wait instead of after it: with MaxConnsPerHost, calls that wait would otherwise keep out those that do not. And the
// answer can still be returned whole, if the policy stops.
func (x *exchange) answer(resp *http.Response, cancel context.CancelCauseFunc) *http.Response {
	resp.Request = x.req
	if resp.Body == nil {
		resp.Body = http.NoBody // a base other than http.Transport may forget it
	}
	if cancel != nil {
		resp.Body = bind(resp.Body, cancel)
	}
	if x.keeps(resp) {
		resp.Body = keep(resp.Body)
	}
	return resp
}

// keeps tells whether another attempt may follow resp, which then must not depend on its connection.
func (x *exchange) keeps(resp *http.Response) bool {
	return x.t.retried(resp.StatusCode) && !x.isLast()
}

// bind returns body with a Close that also ends the attempt's context.
func bind(body io.ReadCloser, cancel context.CancelCauseFunc) io.ReadCloser {
	if body == http.NoBody {
		cancel(nil)
		return body
	}
	bound := boundBody{body, cancel}
	if w, ok := body.(io.Writer); ok {
		return struct { // the answer to an upgrade is a connection to write to
			boundBody
			io.Writer
		}{bound, w}
	}
	return bound
}

type boundBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b boundBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// keep reads up to drainLimit of body and returns a body that reads the same, whatever becomes of it: all that is there
// if it ended, what follows if it is longer, and the error if it broke.
func keep(body io.ReadCloser) io.ReadCloser {
	head, err := io.ReadAll(io.LimitReader(body, drainLimit+1))
	switch {
	case err != nil:
		_ = body.Close()
		return io.NopCloser(io.MultiReader(bytes.NewReader(head), brokenReader{err}))
	case len(head) <= drainLimit:
		_ = body.Close()
		return io.NopCloser(bytes.NewReader(head))
	default:
		return keptBody{io.MultiReader(bytes.NewReader(head), body), body}
	}
}

type keptBody struct {
	io.Reader
	io.Closer
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }
