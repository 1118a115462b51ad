package breakerhttp

import (
	"io"
	"net/http"
	"sync"

	"github.com/joist-go/joist/breaker"
)

// exchange is one request whose response was a success by its header. It stands before the body and tells the breaker if
// that breaks off.
type exchange struct {
	body io.ReadCloser

	mu     sync.Mutex // Read and Close may be called at the same time
	permit breaker.Permit
	over   bool // the body has ended, or the caller is not interested any more
}

// watch puts x before the body of res. A connection that was handed over with 101 Switching Protocols is left alone: it
// is no answer any more, and its reader writes to it too.
func (x *exchange) watch(res *http.Response) {
	if res.Body == nil || res.Body == http.NoBody || res.StatusCode == http.StatusSwitchingProtocols {
		return
	}
	x.body = res.Body
	res.Body = x
}

// Read reads from the body. Its first error other than io.EOF decides the request anew.
func (x *exchange) Read(p []byte) (int, error) {
	n, err := x.body.Read(p)
	if err != nil && x.end() && err != io.EOF {
		x.permit.Amend(err)
	}
	return n, err
}

// Close closes the body. What Read returns afterwards is no failure of the host.
func (x *exchange) Close() error {
	x.end()
	return x.body.Close()
}

// end reports whether it was called for the first time.
func (x *exchange) end() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	first := !x.over
	x.over = true
	return first
}
