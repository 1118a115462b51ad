// Package validhttp tells requests that can never be sent from those that failed to be: a typo in the name of a header
// field says nothing about the server, and sending it again does not mend it.
package validhttp

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
)

// Unsendable tells whether err, which a base returned for req, comes of req itself, so that the base can only return it
// again.
//
//   - No base can send a method, a field or a trailer that is not HTTP. This is asked of schemes http and https alone, as
//     net/http does: what others are made of is between the caller and the base.
//   - The URL, a header that is nil and a length without a body may be mended on the way: by a base that knows more
//     schemes, or puts a host before a path. So they are to blame only if err, or an error that it wraps, says what
//     net/http says of this very request.
//
// What net/http says it is asked itself: no rule and no text of it is repeated here. That costs a few microseconds, and is
// meant for requests that have failed. The body is not touched, and nothing is sent.
func Unsendable(req *http.Request, err error) bool {
	if err == nil {
		return false
	}
	if badFields(req) {
		return true
	}
	probe := &http.Request{Method: req.Method, URL: req.URL, Header: req.Header, Trailer: req.Trailer, Host: req.Host}
	if req.Body == nil {
		probe.ContentLength = req.ContentLength // one that promises a body
	}
	if fault := checked(probe); fault != nil {
		return says(err, fault)
	}
	// The rest is found while the request is written. net/http closes the connection over it then, and may return what its
	// reader makes of that instead.
	fault := probe.Write(nowhere{})
	return fault != nil && (says(err, fault) || errors.Is(err, net.ErrClosed))
}

// badFields tells whether net/http refuses req wherever it goes.
func badFields(req *http.Request) bool {
	if req.URL == nil || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return false
	}
	header := req.Header
	if header == nil {
		header = http.Header{}
	}
	elsewhere := &url.URL{Scheme: req.URL.Scheme, Host: "localhost"}
	return checked(&http.Request{Method: req.Method, URL: elsewhere, Header: header, Trailer: req.Trailer}) != nil
}

// says tells whether the text of err, or of an error in the chain that it wraps, is that of what.
func says(err, what error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == what.Error() {
			return true
		}
	}
	return false
}

// checked returns what http.Transport finds in req before it looks for a connection, nil for nothing.
func checked(req *http.Request) error {
	resp, err := judge.RoundTrip(req.WithContext(ended))
	if resp != nil { // never: it has no connections
		_ = resp.Body.Close()
	}
	if errors.Is(err, errSendable) {
		return nil
	}
	return err
}

// errSendable is what becomes of a request that the judge finds nothing wrong with.
var errSendable = errors.New("joist/validhttp: the request can be sent")

// ended is over, which http.Transport looks at only when it has checked the request.
var ended = func() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errSendable)
	return ctx
}()

// judge checks requests, and can reach no one. It speaks HTTP/1 alone, for which it needs no setting up.
var judge = func() *http.Transport {
	t := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errSendable },
		Protocols:   new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}()

// nowhere takes what is written. It is an io.ByteWriter so that Request.Write does without a buffer of 4 KiB.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteByte(byte) error        { return nil }
