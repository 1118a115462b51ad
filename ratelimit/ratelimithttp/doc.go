// Package ratelimithttp limits how often clients may call an [http.Handler].
//
//	perClient, err := ratelimit.NewKeyed(ratelimit.KeyedOptions[string]{
//		Limits: []ratelimit.Limit{ratelimit.PerMinute(100)},
//	})
//	limit := ratelimithttp.Middleware(ratelimit.TakerOf(perClient), ratelimithttp.Options{Key: ratelimithttp.ClientIP()})
//	http.ListenAndServe(addr, limit(handler))
//
// # What a client sees
//
// Every answer has the fields of draft-ietf-httpapi-ratelimit-headers-10, so that a client can slow down before it is
// refused:
//
//	RateLimit-Policy: "default";q=100;w=60
//	RateLimit: "default";r=49;t=1
//
// The quoted string is the Name of the limit. The window w is the time in which the bucket fills, in whole seconds and at
// least 1, and the quota q is what comes in during w: for [ratelimit.PerMinute](100), 100 in 60 seconds; with a burst of
// 10, 10 in 6 seconds. r is how many requests would be allowed now, and t the time until there is one more, in seconds,
// rounded up. A limit without a number has none: [ratelimit.Unlimited] sends no fields, and [ratelimit.None] neither w
// nor t. Fields that are already there, such as those of another Middleware around this one, are kept: both are lists.
//
// A refused request is answered with 429 and a Retry-After of at least 1 second: who comes back then is let by, if nobody
// else with the same key has asked meanwhile. A problem (RFC 9457) of the type quota-exceeded names the limit in
// violated-policies. If the limit is [ratelimit.None], there is no Retry-After: no wait would help.
//
// When the bucket cannot be asked, the handler is not called and the answer is a problem that does not tell why: 504 when
// the request's deadline has passed, 503 otherwise, with a Retry-After if the error has a method RetryAfter() time.Duration
// with a hint. A [*ratelimit.LimitedError] is a refusal.
//
// A refusal keeps the fields that are set already, such as those of CORS, but for what describes the answer that does not
// come: Cache-Control, Content-Encoding, Content-Length, ETag and Last-Modified.
//
// # Several limits
//
// A block may hold several limits, of which one decides. RateLimit tells how that one stands, and violated-policies names
// it. [Options].Policies lists all of them, so that RateLimit-Policy says the same in every answer:
//
//	RateLimit-Policy: "burst";q=100;w=60, "daily";q=1000;w=86400
//	RateLimit: "burst";r=50;t=1
//
// A limit that is a shadow is told to nobody.
//
// Middlewares around each other tell of one limit each. In a refusal no t is after Retry-After: that waits also for the
// limits around with nothing left, and those that have something left, but a later t, are not told in RateLimit.
//
// [Options].LegacyFields adds the X-RateLimit fields that older clients know.
//
// # Keys
//
// [Options].Key tells whose bucket a request takes from:
//
//   - [ClientIP]: the address that the connection comes from, or behind proxies that are trusted the address that they tell.
//   - [Header] and [Cookie]: a value that the client sends, which something in front must have checked.
//   - [Pattern]: the route of the mux.
//   - [Keys]: all of several. [FirstOf]: the first that is there.
//   - A function of one's own.
//
// All requests for which Key returns the same string share a bucket, the empty string included: a request that cannot be
// told from others is limited with them and is never let by. A key of more than [MaxKey] bytes is replaced by its hash.
//
// # For clients
//
// [ParseLimits] and [ParsePolicies] read the fields of an answer.
package ratelimithttp
