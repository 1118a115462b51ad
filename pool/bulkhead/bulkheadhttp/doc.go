// Package bulkheadhttp limits how many requests an [http.Handler] works at once.
//
//	b, err := bulkhead.New(bulkhead.Options{Name: "api", Limit: bulkhead.Gradient{}, MaxQueue: 200})
//	limit := bulkheadhttp.Middleware(b, bulkheadhttp.Options{})
//	http.ListenAndServe(addr, limit(handler))
//
// # What a client sees
//
// A request that gets no slot is answered with 503 Service Unavailable, a Retry-After of at least 1 second, and a
// problem (RFC 9457) that does not tell why. The handler is not called.
//
// Work that nobody waits for is not done. A request whose context has passed its deadline, on arrival, is
// answered with 504 Gateway Timeout; one that would have to wait for longer than its deadline allows, or has, with the
// 503. One whose client has gone is answered with 503, which nobody reads. The deadline is that of the request's context
// alone: put a handler outside that sets it, such as retryhttp.Handler, which takes it from the Joist-Timeout field of
// trusted peers, or http.TimeoutHandler.
//
// # What the limit learns
//
// An adaptive limit takes an answer's status for the outcome ([OutcomeOf]): 429, 503 and 504 are a sign of overload, any
// other 5xx says nothing, and all else is a success. [Options].Outcome can see it otherwise. An answer that comes after
// its request's context has ended is judged by that end, whatever its status: a deadline is a sign of overload, a client
// that has gone says nothing. The time is that of the handler, reading the request and writing the answer included, so
// that a client with a slow connection looks like a slow handler. A panic gives the slot back and says nothing, as does a
// connection that the handler takes over.
//
// A request holds its slot until the handler returns. Leave out what stays for long: WebSockets, event streams, long
// polls.
//
// # Priorities
//
// With a queue, requests of more worth get a slot before others and take their places ([Options].Priority). A health
// check should not go through the middleware at all.
package bulkheadhttp
