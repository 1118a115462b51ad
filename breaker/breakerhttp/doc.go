// Package breakerhttp puts a circuit breaker per host into an HTTP client.
//
//	t, err := breakerhttp.New(breakerhttp.Options{Options: breaker.Options{Name: "users-api"}})
//	client := &http.Client{Transport: t}
//
// Hosts fail apart: one that is down does not stop calls to the others. Use [breaker.Breaker.Do] around a whole
// operation instead if several requests to several hosts make one call, or if all hosts are replicas behind one name of
// your own.
//
// # What counts
//
// The outcome of a request is decided when the header of its response arrives. A transport error is a failure, except the
// caller's own cancellation; so is a response of status 500 or above. Every other response is a success, 429 included:
// a server that limits one client is well. Options.FailedResponse decides otherwise. A request that net/http cannot send,
// for a header field that is not valid or a scheme that it does not know, counts as nothing: no host has seen it.
//
// How long a request took, which Options.SlowCall asks, is the time to that header, too: a long download is not slow. A
// request that hangs without one counts as slow while it does.
//
// A body that breaks off later turns the success into a failure, unless the caller cancelled or closed the body. It is
// still one call.
//
// # Composition
//
// Put the retrying transport outside: retryhttp.Options{Base: breakerTransport}. Then each attempt is counted, and a refusal
// tells the retry how long to wait.
package breakerhttp
