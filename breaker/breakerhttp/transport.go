package breakerhttp

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/joist-go/joist/breaker"
	"github.com/joist-go/joist/internal/options"
	"github.com/joist-go/joist/internal/validhttp"
)

// Options configure a [Transport]. The zero Options are valid.
type Options struct {
	// Options are those of the breaker of each host. Name, MeterProvider and TracerProvider are for all hosts together:
	// they share one set of metrics, in which no host is named. IsFailure decides over transport errors only,
	// and is not asked about a request that cannot be sent.
	breaker.Options

	// Base sends the requests. Nil is http.DefaultTransport.
	Base http.RoundTripper

	// MaxHosts bounds the number of breakers, from 1 to 16 777 216. 0 is 10 000. What happens beyond is told at
	// [breaker.Keyed].
	MaxHosts int
	// FailedResponse says whether a response is a failure of the host. Nil: status 500 and above is. It sees the header
	// and must not touch the body.
	FailedResponse func(*http.Response) bool
	// OnHostStateChange is told of each host's changes of state, as [breaker.KeyedOptions].OnKeyStateChange is. A host is
	// "name:port", or "name" for https on port 443.
	OnHostStateChange func(host string, t breaker.Transition)
}

// Transport is an [http.RoundTripper] with one breaker per host. It is made with [New] and safe for concurrent use.
type Transport struct {
	base   http.RoundTripper
	hosts  *breaker.Keyed[string]
	failed func(*http.Response) bool
}

var (
	// errFailedResponse is what a permit is told of a response that is a failure.
	errFailedResponse = errors.New("joist/breakerhttp: the response is a failure")
	// errNoReturn is what a permit is told when the base transport panics or exits the goroutine.
	errNoReturn = errors.New("joist/breakerhttp: the transport did not return")
)

// New returns a Transport, or all faults of o joined.
func New(o Options) (*Transport, error) {
	f := options.Check("joist/breakerhttp", "Options")
	f.Require(o.MaxHosts >= 0 && o.MaxHosts <= breaker.MaxMaxKeys, "MaxHosts", o.MaxHosts,
		"must be from 1 to 16777216 (0 is the default)")
	keyed := breaker.KeyedOptions[string]{Options: o.Options, OnKeyStateChange: o.OnHostStateChange}
	if f.Err() == nil {
		keyed.MaxKeys = o.MaxHosts
	}
	if decide := o.IsFailure; decide != nil {
		keyed.IsFailure = func(err error) bool {
			return errors.Is(err, errFailedResponse) || errors.Is(err, errNoReturn) || decide(err)
		}
	}
	hosts, err := breaker.NewKeyed(keyed)
	if err := errors.Join(f.Err(), err); err != nil {
		return nil, err
	}
	t := &Transport{base: o.Base, hosts: hosts, failed: o.FailedResponse}
	if t.base == nil {
		t.base = http.DefaultTransport
	}
	if t.failed == nil {
		t.failed = serverError
	}
	return t, nil
}

func serverError(r *http.Response) bool { return r.StatusCode >= http.StatusInternalServerError }

// RoundTrip sends req unless the breaker of its host refuses. It returns a [*breaker.OpenError] then, having closed the
// request's body; http.Client wraps it in a [*url.Error], through which errors.As finds it. It returns the context's
// error if that has ended before.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	x := &exchange{}
	var err error
	if x.permit, err = t.hosts.For(hostOf(req.URL)).Allow(req.Context()); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	var res *http.Response
	returned := false
	defer func() {
		if !returned { // the base or a callback panics or exits the goroutine: nobody gets the response
			x.permit.Done(errNoReturn) // nothing, if the permit was told how it went
			closeBody(res)
		}
	}()
	res, err = t.base.RoundTrip(req)
	switch {
	case err != nil:
		if validhttp.Unsendable(req, err) {
			x.permit.Done(breaker.Ignore(err)) // the host has no part in it
		} else {
			x.permit.Done(err)
		}
		closeBody(res) // a base that breaks its contract may return both
		res = nil
	case res == nil || t.failed(res): // nil: another such base, of which http.Client complains
		x.permit.Done(errFailedResponse)
	default:
		x.permit.Done(nil)
		x.watch(res)
	}
	returned = true
	return res, err
}

func closeBody(res *http.Response) {
	if res != nil && res.Body != nil {
		_ = res.Body.Close()
	}
}

// Host returns the breaker of a host, for its state and statistics: "name:port", or "name" for https on port 443. It
// makes one if there is none.
func (t *Transport) Host(host string) *breaker.Breaker { return t.hosts.For(host) }

// Mode returns the mode of hosts that are new, which is that of all unless one was given its own by Host.
func (t *Transport) Mode() breaker.Mode { return t.hosts.Mode() }

// SetMode changes the mode of all hosts, as [breaker.Keyed.SetMode] does: for all from [breaker.Observe] to
// [breaker.Normal], say, when the thresholds have proved right. Host(host).SetMode changes that of one.
func (t *Transport) SetMode(m breaker.Mode) { t.hosts.SetMode(m) }

// Stats returns a snapshot over all hosts.
func (t *Transport) Stats() breaker.KeyedStats { return t.hosts.Stats() }

// CloseIdleConnections does so on the base transport, if that can.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// hostOf returns the name and port that u is sent to, nothing without u. It allocates only for http without a port and for
// names in upper case.
func hostOf(u *url.URL) string {
	if u == nil {
		return "" // the base complains of it
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), ":") // an empty port is none
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		if u.Port() == "" {
			host += ":80"
		}
	}
	return host
}
