// Package retryhttp makes an HTTP client repeat requests that are safe to repeat.
//
//	transport, err := retryhttp.New(retryhttp.Options{Options: retry.Options{Name: "users-api"}})
//	…
//	client := &http.Client{Transport: transport}
//
// [Transport] wraps another http.RoundTripper. Use it when the whole of a request is what to retry. To retry a request
// together with what is done with its answer, such as reading and decoding the body, use [retry.DoValue] around both,
// without a Transport inside: two layers of retries multiply.
//
// # What is repeated
//
// Requests with an idempotent method (GET, HEAD, OPTIONS, TRACE, PUT, DELETE; RFC 9110, section 9.2.2) and any request
// that has an Idempotency-Key. A POST without one is sent once. X-Idempotency-Key is as good, and as with net/http, either
// may be an entry of the header without a value: that is not sent, and says that the request may be repeated. A request
// with a body is repeated only when it has a GetBody, which http.NewRequest sets for bytes.Buffer, bytes.Reader and
// strings.Reader.
//
// Any request with such a body, or with none, is also sent again when it is certain that no server has begun with it: a
// block inside has refused to send it, such as a breaker that is open, or the server has refused its HTTP/2 stream.
//
// They are repeated after a transport error, except one about the server's certificate or a server that does not speak
// TLS, and after the answers 429, 502, 503 and 504. The server's Retry-After is waited for, if MaxHint and the deadline
// allow it; if not, the answer is returned at once.
//
// A request that cannot be sent makes one attempt, and the base's error is returned as it is. That is one with a method, a
// header field or a trailer that is not HTTP, and one that the base refuses with the words of net/http, for its URL, say:
// a scheme that net/http does not know is one that Base may know, and a Base may put a host where there is none.
//
// # What is returned
//
// The answer of the last attempt, whole, with a nil error. If that attempt had none, or the request's context is over, a
// [retry.Error] with the last failure. The url.Error that an http.Client makes of it tells by Timeout whether a deadline
// was the reason, as it does without a Transport.
//
// # Connections
//
// An answer that may be followed by another attempt is read into memory, up to 64 KiB, and closed before the wait, so that
// its connection can be used by others meanwhile. A longer one stays open during the wait, because it is returned whole if
// there is no other, and its connection is given up for the next attempt. A server that sends such an answer slowly is
// waited for until AttemptTimeout, or, if there is none, until the request's context ends.
//
// # Time-outs
//
// AttemptTimeout limits the time until an attempt's header is there. The body of the answer that is returned may be read
// for as long as the request's own context lives. The context of that attempt ends when the body is closed, so close it.
//
// # Telling the server
//
// Each attempt tells the server in the header field Joist-Timeout how many milliseconds it has left: until AttemptTimeout
// or the deadline of the request's context, whichever comes first. Without either it is not sent. From the second attempt
// on, and in every attempt of a call that is part of a retry itself, Joist-Attempt has the attempt's number. To others
// than your own servers they mean nothing; Options.OmitHeaders leaves them out. A field that the caller has set stays as
// it is.
//
// On the server, [Handler] puts both into the context of the request: work ends when nobody waits for it any more, and
// the policies and breakers inside know what is already a retry. Use it only behind the edge of your network, where all
// clients are your own: it believes them.
//
// # HTTP/2
//
// net/http itself sends a request again, up to eight times in all, whose stream the server refuses, or does not count
// among those that it will still answer when it says GOAWAY. That is safe for any method, and none of it is seen here: such
// a request has made one attempt, and the budget is not asked. What comes out is the outcome of the last of them. A
// request whose stream the server had taken when the connection broke may have been processed, and is repeated only if
// it is safe to repeat.
//
// It does the same for a stream that the server resets with PROTOCOL_ERROR, whatever the method, because some servers
// mean by it that they go away. Such a server may get a POST twice, with or without a Transport. And when a connection
// goes away under a request with a body, it takes one body more from GetBody than it closes: let GetBody return
// bodies that hold nothing when that matters.
//
// # Telemetry
//
// Metrics are those of package retry, one set per Name. Each attempt, also the first, has a client span named by its
// method, with the status, the number of the resend, and the types of an error, never the URL; it ends when the header
// is there. The global propagator, if there is one, tells the server about it. With a tracing http.RoundTripper as Base
// there are two spans per attempt: set TracerProvider to that of package noop to have one. Then a success at once allocates
// nothing, if there is nothing to tell the server; without, a span costs 3 allocations, also while there is no SDK.
package retryhttp
