// Package cache keeps what is slow to get: a typed read-through cache in the memory of the process, with one load per
// key however many ask, stale answers when the source is slow or down, and writes that no load in flight can undo.
//
//	users, err := cache.New(cache.Options[int64, User]{
//		Name:                 "users",
//		Load:                 func(ctx context.Context, id int64) (User, error) { … }, // cache.ErrNotFound: there is none
//		TTL:                  time.Minute,
//		StaleWhileRevalidate: 5 * time.Minute,
//		StaleIfError:         time.Hour,
//	})
//	u, err := users.Get(ctx, 42)
//
// # Which method
//
//   - [Cache.Get] for the value.
//   - [Cache.GetEntry] for the value, its age and whether it is stale, as HTTP caching wants to know.
//   - [Cache.GetWith] when the load takes more than the key.
//   - [Cache.Set] and [Cache.Delete] after the application has changed what the source holds; Delete is the safer one,
//     because the next Get asks the source.
//   - [Cache.Refresh] to load a key now, at a start for instance.
//
// # The life of an entry
//
// A value is fresh until its TTL, counted from the start of its load: the source was asked then, and may have changed
// since. From there on it is stale, and two windows of RFC 5861 run side by side. Within StaleWhileRevalidate it is
// served at once and refreshed behind. Within StaleIfError, once the other window is over, a Get loads and waits, and
// the value is served if the load fails. After both it is gone.
//
// A zero value, a nil pointer and ErrNotFound are three different things. That the source has no value for a key is
// kept for NotFoundTTL and never served stale; a value that the source no longer has is dropped at once.
//
// # When loads fail
//
// A key whose load failed is left alone for a while, at most ErrorBackoff: Gets are answered with the stale value if
// there is one and with a [*BackoffError] if not, at once either way. The error of a load reaches those who waited for
// it unchanged. A load has a hard end, LoadTimeout, after which its key is free even if its function hangs.
//
// # Bounds
//
// MaxEntries bounds values, kept ErrNotFound answers and failed keys together, so that a flood of keys that do not
// exist takes no more room than any other. RefreshConcurrency bounds refreshes. Loads that Gets wait for are bounded by
// their callers, one per key: put a bulkhead inside the load where the source needs one.
//
// # Telemetry
//
// The metrics are joist.cache.requests, joist.cache.load.duration, joist.cache.entries, joist.cache.evictions and
// joist.cache.invalidations, and those of the flight inside, joist.flight.calls, under the same name. A load is a span,
// cache.load, a child of the span of the Get that began it; Gets that join it get a link to it. Stale answers and
// refusals are events on the caller's span. Failed loads are logged, at most one line per cause in 10 seconds. No key
// and no value is in any of it.
package cache
